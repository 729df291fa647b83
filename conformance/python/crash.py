"""An idempotent producer that numbers its records per partition until it is told to stop, then reads everything back.

The harness kills the broker meanwhile. Prints `ACKED n` as it goes, and rows at the end.
"""
import sys
import threading
import time

import confluent_kafka as ck
from confluent_kafka import admin as adm

PARTITIONS = 4
TOPIC = "crash"


def row(check, ok, message):
    print(f"ROW\tcrash\t{check}\t{'PASS' if ok else 'FAIL'}\t0.0\t{message}", flush=True)


def produce(bootstrap, acked):
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    producer = ck.Producer({
        "bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": 1, "batch.num.messages": 50,
        "message.timeout.ms": 0, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 50,
        "queue.buffering.max.messages": 4000, "socket.timeout.ms": 10000, "log_level": 3, "error_cb": lambda error: print(error, file=sys.stderr),
    })
    failed, sent, last = [], [0] * PARTITIONS, 0.0

    def delivered(error, message):
        if error:
            failed.append(str(error))
        else:
            acked[message.partition()][int(message.value())] = message.offset()

    while not stop.is_set() and not failed:
        for p in range(PARTITIONS):
            try:
                producer.produce(TOPIC, value=str(sent[p]).encode(), partition=p, on_delivery=delivered)
                sent[p] += 1
            except BufferError:
                producer.poll(0.02)
        producer.poll(0)
        # A fast broker would fill the disk: a few thousand records a second are enough to be in the middle of something.
        time.sleep(0.0005)
        if time.monotonic() - last > 0.05:
            last = time.monotonic()
            print(f"ACKED {sum(map(len, acked))}", flush=True)
    left = producer.flush(120)
    print(f"ACKED {sum(map(len, acked))}", flush=True)
    row("every record is acknowledged in the end", not failed and left == 0, "; ".join(failed[:3]) or f"{left} left")
    return sent


class Committer(threading.Thread):
    """A group of one that reads along and commits; what it has committed once must never be less later."""

    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.bootstrap, self.ended, self.acked, self.back, self.gaps = bootstrap, threading.Event(), {}, [], []

    def run(self):
        consumer = ck.Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": "crash", "enable.auto.commit": False, "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "log_level": 0,
            "error_cb": lambda error: None})
        consumer.subscribe([TOPIC], on_assign=self.check)
        following = {}
        while not self.ended.is_set():
            for m in consumer.consume(100, 0.2):
                if m.error() is None:
                    if following.get(m.partition(), m.offset()) < m.offset() or int(m.value()) != m.offset():
                        self.gaps.append((m.partition(), m.offset(), m.value()))
                    following[m.partition()] = m.offset() + 1
            try:
                self.commit(consumer, following)
            except ck.KafkaException as error:
                print("commit:", error, file=sys.stderr)
        self.check(consumer, [ck.TopicPartition(TOPIC, p) for p in range(PARTITIONS)])
        consumer.close()

    def commit(self, consumer, following):
        new = [ck.TopicPartition(TOPIC, p, o) for p, o in following.items() if o > self.acked.get(p, 0)]
        for done in consumer.commit(offsets=new, asynchronous=False) if new else []:
            if done.error is None:
                self.acked[done.partition] = done.offset

    def check(self, consumer, partitions):
        for _ in range(20):
            try:
                found = consumer.committed(partitions, timeout=5)
                break
            except ck.KafkaException as error:
                print("committed:", error, file=sys.stderr)
        else:
            self.back.append("committed offsets cannot be read")
            return
        self.back += [f"{p.partition}: {p.offset} after {self.acked[p.partition]}" for p in found
                      if p.offset < self.acked.get(p.partition, -1001)]


def read_back(bootstrap):
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False,
                            "enable.partition.eof": True, "check.crcs": True, "log_level": 3})
    consumer.assign([ck.TopicPartition(TOPIC, p, ck.OFFSET_BEGINNING) for p in range(PARTITIONS)])
    found, ended, deadline = [[] for _ in range(PARTITIONS)], set(), time.monotonic() + 90
    while len(ended) < PARTITIONS and time.monotonic() < deadline:
        for m in consumer.consume(1000, 0.5):
            if m.error() is None:
                found[m.partition()].append((int(m.value()), m.offset()))
            elif m.error().code() == ck.KafkaError._PARTITION_EOF:
                ended.add(m.partition())
    consumer.close()
    return found


def main():
    bootstrap = sys.argv[1]
    admin = adm.AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    next(iter(admin.create_topics([adm.NewTopic(TOPIC, PARTITIONS, 1)]).values())).result(30)
    acked = [{} for _ in range(PARTITIONS)]
    committer = Committer(bootstrap)
    committer.start()
    sent = produce(bootstrap, acked)
    committer.ended.set()
    committer.join(60)
    found = read_back(bootstrap)
    lost = sum(len(acked[p].keys() - {value for value, _ in found[p]}) for p in range(PARTITIONS))
    duplicates = sum(len(values) - len({value for value, _ in values}) for values in found)
    reordered = sum(1 for values in found for a, b in zip(values, values[1:]) if b[0] < a[0])
    moved = sum(1 for p in range(PARTITIONS) for value, offset in found[p] if acked[p].get(value, offset) != offset)
    total = sum(map(len, acked))
    row("0 lost", lost == 0 and total > 0, f"{lost} of {total} acknowledged records are gone")
    row("0 duplicate", duplicates == 0, f"{duplicates} records are there twice")
    row("0 reordered", reordered == 0, f"{reordered} records come after a later one")
    row("every record is where its acknowledgement said", moved == 0, f"{moved} records have another offset")
    row("committed offsets never go back", not committer.back and committer.acked and not committer.is_alive(),
        "; ".join(committer.back[:3]) or f"{sum(committer.acked.values())} committed")
    row("a group reads along without a gap", not committer.gaps, f"{len(committer.gaps)} gaps {committer.gaps[:3]}")
    row("nothing that was never sent", sum(map(len, found)) <= sum(sent), f"{sum(map(len, found))} read, {sum(sent)} sent")


main()
