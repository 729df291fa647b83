// The franz-go client against one broker. Prints one row per check for the harness:
// ROW<TAB>client<TAB>check<TAB>PASS|FAIL|SKIP<TAB>seconds<TAB>message.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type suite struct {
	bootstrap string
	run       string
	admin     *kadm.Client
}

func client(bootstrap string, opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.RetryTimeout(20 * time.Second),
		kgo.FetchMaxWait(500 * time.Millisecond)}, opts...)...)
	if err != nil {
		panic(err)
	}
	return cl
}

// must turns an error into the check's failure.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Errorf(format, args...))
	}
}

func (s *suite) topic(ctx context.Context, what string, partitions int32, configs map[string]*string) string {
	name := s.run + "-" + what
	_, err := s.admin.CreateTopic(ctx, partitions, 1, configs, name)
	must(err)
	return name
}

func records(n int, topic string) []*kgo.Record {
	var out []*kgo.Record
	for i := range n {
		out = append(out, &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "k%d", i),
			Value:   []byte(strings.Repeat("value ", 40) + fmt.Sprint(i)),
			Headers: []kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, i)}, {Key: "empty", Value: []byte{}}, {Key: "null", Value: nil}}})
	}
	return out
}

func (s *suite) produce(ctx context.Context, recs []*kgo.Record, opts ...kgo.Opt) {
	cl := client(s.bootstrap, opts...)
	defer cl.Close()
	must(cl.ProduceSync(ctx, recs...).FirstErr())
}

func poll(ctx context.Context, cl *kgo.Client, n int) []*kgo.Record {
	var got []*kgo.Record
	for len(got) < n {
		fetches := cl.PollRecords(ctx, n-len(got))
		must(fetches.Err())
		got = append(got, fetches.Records()...)
	}
	return got
}

// readFrom reads n records of every partition of the topic from the offset on.
func (s *suite) readFrom(ctx context.Context, topic string, n int, at kgo.Offset) []*kgo.Record {
	cl := client(s.bootstrap, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(at))
	defer cl.Close()
	return poll(ctx, cl, n)
}

func (s *suite) codec(name string, codec kgo.CompressionCodec) check {
	return check{"produce and consume " + name, func(ctx context.Context) {
		topic := s.topic(ctx, "codec-"+name, 1, nil)
		sent := records(200, topic)
		s.produce(ctx, sent, kgo.ProducerBatchCompression(codec))
		got := s.readFrom(ctx, topic, 200, kgo.NewOffset().AtStart())
		for i, r := range got {
			want := sent[i]
			expect(string(r.Key) == string(want.Key) && string(r.Value) == string(want.Value), "record %d differs: %q", i, r.Key)
			expect(r.Offset == int64(i), "record %d has offset %d", i, r.Offset)
			expect(len(r.Headers) == 3 && string(r.Headers[0].Value) == fmt.Sprint(i), "headers of %d: %v", i, r.Headers)
			expect(r.Headers[1].Value != nil && r.Headers[2].Value == nil, "empty and null header of %d: %v", i, r.Headers)
		}
	}}
}

func (s *suite) member(group, topic string, opts ...kgo.Opt) *kgo.Client {
	return client(s.bootstrap, append([]kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(3 * time.Second),
		kgo.HeartbeatInterval(500 * time.Millisecond)}, opts...)...)
}

type check struct {
	name string
	run  func(context.Context)
}

func (s *suite) report(c check) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	status, message := "PASS", ""
	func() {
		defer func() {
			if failure := recover(); failure != nil {
				status, message = "FAIL", fmt.Sprint(failure)
			}
		}()
		c.run(ctx)
	}()
	message = strings.Join(strings.Fields(message), " ")
	fmt.Printf("ROW\tfranz-go\t%s\t%s\t%.1f\t%s\n", c.name, status, time.Since(start).Seconds(), message)
}

func main() {
	bootstrap := os.Args[1]
	if len(os.Args) > 2 && os.Args[2] == "--member" {
		cl := (&suite{bootstrap: bootstrap}).member(os.Args[3], os.Args[4], kgo.DisableAutoCommit())
		for os.Getppid() != 1 {
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			cl.PollFetches(ctx)
			cancel()
		}
		return
	}
	s := &suite{bootstrap: bootstrap, run: fmt.Sprintf("franz-%d", time.Now().Unix()), admin: kadm.NewClient(client(bootstrap))}
	only := os.Getenv("ONLY_CHECK")
	for _, c := range append(s.dataChecks(), s.adminChecks()...) {
		if strings.Contains(c.name, only) {
			s.report(c)
		}
	}
}
