package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func (s *suite) dataChecks() []check {
	return []check{
		{"create topic", func(ctx context.Context) {
			value := "123456"
			name := s.topic(ctx, "create", 3, map[string]*string{"retention.ms": &value})
			listed, err := s.admin.ListTopics(ctx, name)
			must(err)
			expect(len(listed[name].Partitions) == 3, "partitions: %v", listed[name].Partitions)
		}},
		s.codec("none", kgo.NoCompression()), s.codec("gzip", kgo.GzipCompression()), s.codec("snappy", kgo.SnappyCompression()),
		s.codec("lz4", kgo.Lz4Compression()), s.codec("zstd", kgo.ZstdCompression()),
		{"null key and value", func(ctx context.Context) {
			topic := s.topic(ctx, "nulls", 1, nil)
			s.produce(ctx, []*kgo.Record{{Topic: topic, Value: []byte("no key")}, {Topic: topic, Key: []byte("tombstone")}})
			got := s.readFrom(ctx, topic, 2, kgo.NewOffset().AtStart())
			expect(got[0].Key == nil && got[1].Value == nil, "nulls came back as %v %v", got[0].Key, got[1].Value)
		}},
		{"records of 900 KB", func(ctx context.Context) {
			topic := s.topic(ctx, "large", 1, nil)
			s.produce(ctx, []*kgo.Record{{Topic: topic, Value: make([]byte, 900_000)}, {Topic: topic, Value: make([]byte, 900_001)}},
				kgo.ProducerBatchCompression(kgo.NoCompression()))
			got := s.readFrom(ctx, topic, 2, kgo.NewOffset().AtStart())
			expect(len(got[1].Value) == 900_001, "length %d", len(got[1].Value))
		}},
		{"too large is refused", func(ctx context.Context) {
			limit := "1000"
			topic := s.topic(ctx, "too-large", 1, map[string]*string{"max.message.bytes": &limit})
			cl := client(s.bootstrap, kgo.ProducerBatchCompression(kgo.NoCompression()))
			defer cl.Close()
			err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: make([]byte, 5000)}).FirstErr()
			expect(err != nil && strings.Contains(err.Error(), "LARGE"), "the error is %v", err)
		}},
		{"idempotent producer", s.idempotent},
		{"producer without idempotence, acks=0 and 1", func(ctx context.Context) {
			topic := s.topic(ctx, "acks", 1, nil)
			s.produce(ctx, records(50, topic), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.NoAck()))
			s.produce(ctx, records(50, topic), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
			s.readFrom(ctx, topic, 100, kgo.NewOffset().AtStart())
		}},
		{"consume from a timestamp", func(ctx context.Context) {
			topic := s.topic(ctx, "time", 1, nil)
			base := time.Now().Add(-100 * time.Second).Truncate(time.Millisecond)
			sent := records(50, topic)
			for i, r := range sent {
				r.Timestamp = base.Add(time.Duration(i) * time.Second)
			}
			s.produce(ctx, sent)
			got := s.readFrom(ctx, topic, 20, kgo.NewOffset().AfterMilli(base.UnixMilli()+29_500))
			expect(got[0].Offset == 30, "first offset is %d", got[0].Offset)
			expect(got[0].Timestamp.Equal(sent[30].Timestamp), "first time is %v", got[0].Timestamp)
		}},
		{"commit and resume", s.resume},
		{"group of three, one joins, one is killed", s.groupOfThree},
	}
}

func (s *suite) idempotent(ctx context.Context) {
	topic := s.topic(ctx, "idempotent", 2, nil)
	cl := client(s.bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(time.Millisecond))
	defer cl.Close()
	var wait sync.WaitGroup
	for i := range 2000 {
		wait.Add(1)
		cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: fmt.Append(nil, i)}, func(_ *kgo.Record, err error) {
			if err != nil {
				fmt.Fprintln(os.Stderr, "produce:", err)
			}
			wait.Done()
		})
	}
	must(cl.Flush(ctx))
	wait.Wait()
	next := [2]int{0, 1}
	for _, r := range s.readFrom(ctx, topic, 2000, kgo.NewOffset().AtStart()) {
		expect(string(r.Value) == fmt.Sprint(next[r.Partition]), "partition %d: %s instead of %d", r.Partition, r.Value, next[r.Partition])
		next[r.Partition] += 2
	}
}

func (s *suite) resume(ctx context.Context) {
	topic, group := s.topic(ctx, "resume", 1, nil), s.run+"-resume"
	s.produce(ctx, records(40, topic))
	visit := func(n int) []*kgo.Record {
		cl := s.member(group, topic, kgo.DisableAutoCommit())
		defer cl.Close()
		got := poll(ctx, cl, n)
		must(cl.CommitRecords(ctx, got...))
		return got
	}
	visit(15)
	expect(visit(25)[0].Offset == 15, "the second visit did not resume at 15")
	offsets, err := s.admin.FetchOffsets(ctx, group)
	must(err)
	at, _ := offsets.Lookup(topic, 0)
	expect(at.At == 40, "committed offset is %d", at.At)
}

// counted is a member that remembers what it has read and how many partitions it owns.
type counted struct {
	sync.Mutex
	owned int
	seen  map[string]bool
}

func (s *suite) countedMember(ctx context.Context, group, topic string) *counted {
	m := &counted{seen: map[string]bool{}}
	change := func(by int) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			m.Lock()
			m.owned += by * len(parts[topic])
			m.Unlock()
		}
	}
	cl := s.member(group, topic, kgo.OnPartitionsAssigned(change(1)), kgo.OnPartitionsRevoked(change(-1)),
		kgo.OnPartitionsLost(change(-1)), kgo.AutoCommitInterval(500*time.Millisecond))
	go func() {
		for ctx.Err() == nil {
			for _, r := range cl.PollFetches(ctx).Records() {
				m.Lock()
				m.seen[string(r.Value)] = true
				m.Unlock()
			}
		}
		cl.Close()
	}()
	return m
}

func await(ctx context.Context, what string, ready func() bool) {
	deadline := time.Now().Add(30 * time.Second)
	for !ready() {
		expect(ctx.Err() == nil && time.Now().Before(deadline), "not within 30 s: %s", what)
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *suite) groupOfThree(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	topic, group := s.topic(ctx, "group", 6, nil), s.run+"-three"
	one, two := s.countedMember(ctx, group, topic), s.countedMember(ctx, group, topic)
	owned := func(n int) func() bool {
		return func() bool {
			one.Lock()
			two.Lock()
			defer one.Unlock()
			defer two.Unlock()
			return one.owned == n && two.owned == n
		}
	}
	saw := func(values []string) func() bool {
		return func() bool {
			one.Lock()
			two.Lock()
			defer one.Unlock()
			defer two.Unlock()
			return !slices.ContainsFunc(values, func(v string) bool { return !one.seen[v] && !two.seen[v] })
		}
	}
	produce := func(prefix string) []string {
		var values []string
		var recs []*kgo.Record
		for i := range 60 {
			values = append(values, fmt.Sprint(prefix, i))
			recs = append(recs, &kgo.Record{Topic: topic, Partition: int32(i % 6), Value: []byte(values[i])})
		}
		s.produce(ctx, recs, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		return values
	}
	await(ctx, "two members with 3 partitions each", owned(3))
	await(ctx, "the first 60 records", saw(produce("a")))
	third := exec.Command(os.Args[0], s.bootstrap, "--member", group, topic)
	must(third.Start())
	defer third.Wait()
	defer third.Process.Kill()
	await(ctx, "a third member takes 2 partitions", owned(2))
	await(ctx, "a stable group of three", func() bool {
		described, err := s.admin.DescribeGroups(ctx, group)
		must(err)
		return described[group].State == "Stable" && len(described[group].Members) == 3
	})
	must(third.Process.Kill())
	values := produce("b")
	await(ctx, "two members take over from the killed one", owned(3))
	await(ctx, "every record after the takeover", saw(values))
}
