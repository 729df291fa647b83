package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (s *suite) adminChecks() []check {
	return []check{
		{"describe cluster", func(ctx context.Context) {
			meta, err := s.admin.BrokerMetadata(ctx)
			must(err)
			expect(meta.Cluster != "" && len(meta.Brokers) == 1, "cluster %q with brokers %v", meta.Cluster, meta.Brokers)
		}},
		{"describe broker configs", func(ctx context.Context) {
			meta, err := s.admin.BrokerMetadata(ctx)
			must(err)
			got, err := s.admin.DescribeBrokerConfigs(ctx, meta.Brokers[0].NodeID)
			must(err)
			must(got[0].Err)
			expect(len(got[0].Configs) > 150, "only %d broker configs", len(got[0].Configs))
		}},
		{"alter topic configs", s.alterConfigs},
		{"create partitions", func(ctx context.Context) {
			topic := s.topic(ctx, "grow", 1, nil)
			got, err := s.admin.UpdatePartitions(ctx, 4, topic)
			must(err)
			must(got.Error())
			await(ctx, "4 partitions", func() bool {
				listed, err := s.admin.ListTopics(ctx, topic)
				must(err)
				return len(listed[topic].Partitions) == 4
			})
		}},
		{"list offsets and delete records", s.trim},
		{"list, describe and delete groups", s.groups},
		{"describe log dirs", func(ctx context.Context) {
			topic := s.topic(ctx, "dirs", 1, nil)
			s.produce(ctx, records(50, topic))
			dirs, err := s.admin.DescribeAllLogDirs(ctx, nil)
			must(err)
			size := int64(0)
			for _, perBroker := range dirs {
				perBroker.EachPartition(func(p kadm.DescribedLogDirPartition) {
					if p.Topic == topic {
						size += p.Size
					}
				})
			}
			expect(size > 0, "the topic takes no room")
		}},
		{"offset for leader epoch", func(ctx context.Context) {
			topic := s.topic(ctx, "epoch", 1, nil)
			s.produce(ctx, records(10, topic))
			request := kadm.OffsetForLeaderEpochRequest{}
			request.Add(topic, 0, 0)
			got, err := s.admin.OffsetForLeaderEpoch(ctx, request)
			must(err)
			expect(got[topic][0].EndOffset == 10, "end offset of epoch 0 is %d", got[topic][0].EndOffset)
		}},
		{"describe producers", func(ctx context.Context) {
			topic := s.topic(ctx, "producers", 1, nil)
			s.produce(ctx, records(10, topic))
			var set kadm.TopicsSet
			set.Add(topic, 0)
			got, err := s.admin.DescribeProducers(ctx, set)
			must(err)
			expect(len(got.SortedProducers()) == 1, "producers: %v", got.SortedProducers())
		}},
		{"validate only", func(ctx context.Context) {
			got, err := s.admin.ValidateCreateTopics(ctx, 1, 1, nil, s.run+"-never")
			must(err)
			must(got.Error())
			listed, err := s.admin.ListTopics(ctx)
			must(err)
			expect(!listed.Has(s.run+"-never"), "a validated topic was created")
		}},
		{"delete topic", func(ctx context.Context) {
			topic := s.topic(ctx, "delete", 1, nil)
			_, err := s.admin.DeleteTopic(ctx, topic)
			must(err)
			await(ctx, "the topic is gone", func() bool {
				listed, err := s.admin.ListTopics(ctx)
				must(err)
				return !listed.Has(topic)
			})
		}},
	}
}

func (s *suite) alterConfigs(ctx context.Context) {
	topic := s.topic(ctx, "alter", 1, nil)
	alter := func(change kadm.AlterConfig) {
		got, err := s.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{change}, topic)
		must(err)
		must(got[0].Err)
	}
	value := func(key string) string {
		got, err := s.admin.DescribeTopicConfigs(ctx, topic)
		must(err)
		for _, c := range got[0].Configs {
			if c.Key == key && c.Value != nil {
				return *c.Value
			}
		}
		return ""
	}
	set := func(v string) *string { return &v }
	alter(kadm.AlterConfig{Op: kadm.SetConfig, Name: "max.message.bytes", Value: set("54321")})
	await(ctx, "the new value", func() bool { return value("max.message.bytes") == "54321" })
	alter(kadm.AlterConfig{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: set("compact")})
	await(ctx, "the appended value", func() bool { return value("cleanup.policy") == "delete,compact" })
	alter(kadm.AlterConfig{Op: kadm.SubtractConfig, Name: "cleanup.policy", Value: set("compact")})
	await(ctx, "the subtracted value", func() bool { return value("cleanup.policy") == "delete" })
	alter(kadm.AlterConfig{Op: kadm.DeleteConfig, Name: "max.message.bytes"})
	await(ctx, "the default", func() bool { return value("max.message.bytes") == "1048588" })
	bad, err := s.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: set("soon")}}, topic)
	expect(err != nil || bad[0].Err != nil, "retention.ms=soon was accepted")
}

func (s *suite) trim(ctx context.Context) {
	topic := s.topic(ctx, "trim", 1, nil)
	base := time.Now().Truncate(time.Millisecond)
	sent := records(30, topic)
	for i, r := range sent {
		r.Timestamp = base.Add(-time.Duration(i) * time.Second)
	}
	s.produce(ctx, sent)
	latest, err := s.admin.ListMaxTimestampOffsets(ctx, topic)
	must(err)
	expect(latest[topic][0].Offset == 0, "the largest timestamp is at %d", latest[topic][0].Offset)
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 12, -1)
	got, err := s.admin.DeleteRecords(ctx, offsets)
	must(err)
	must(got.Error())
	expect(got[topic][0].LowWatermark == 12, "low watermark is %d", got[topic][0].LowWatermark)
	start, err := s.admin.ListStartOffsets(ctx, topic)
	must(err)
	end, err := s.admin.ListEndOffsets(ctx, topic)
	must(err)
	expect(start[topic][0].Offset == 12 && end[topic][0].Offset == 30, "offsets %d to %d", start[topic][0].Offset, end[topic][0].Offset)
	expect(s.readFrom(ctx, topic, 18, kgo.NewOffset().AtStart())[0].Offset == 12, "the first record left is not 12")
}

func (s *suite) groups(ctx context.Context) {
	topic, group := s.topic(ctx, "gone", 1, nil), s.run+"-gone"
	s.produce(ctx, records(5, topic))
	cl := s.member(group, topic, kgo.DisableAutoCommit())
	must(cl.CommitRecords(ctx, poll(ctx, cl, 5)...))
	busy, err := s.admin.DeleteGroup(ctx, group)
	expect(err != nil || busy.Err != nil, "a group with a member was deleted")
	cl.Close()
	listed, err := s.admin.ListGroups(ctx)
	must(err)
	_, ok := listed[group]
	expect(ok, "the group is not listed")
	lags, err := s.admin.Lag(ctx, group)
	must(err)
	expect(lags[group].Lag.Total() == 0, "lag is %d", lags[group].Lag.Total())
	var set kadm.TopicsSet
	set.Add(topic, 0)
	deleted, err := s.admin.DeleteOffsets(ctx, group, set)
	must(err)
	must(deleted.Error())
	must(s.admin.CommitAllOffsets(ctx, group, kadm.Offsets{topic: {0: {Topic: topic, Partition: 0, At: 3, LeaderEpoch: -1}}}))
	_, err = s.admin.DeleteGroup(ctx, group)
	must(err)
	listed, err = s.admin.ListGroups(ctx)
	must(err)
	_, ok = listed[group]
	expect(!ok, "the group is still listed")
}
