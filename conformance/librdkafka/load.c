/* A load on librdkafka for `cargo xtask bench client`: what crates/client/examples/load.rs does, with the same settings.
 *
 * load produce|consume HOST:PORT TOPIC PARTITIONS RECORDS VALUE_BYTES
 *
 * Says `ready`, waits for a line, works, says `done RECORDS BYTES`, and waits for the end of its input.
 *
 * The packages that bring the library bring no header, so what is used of it is declared here. All of it has been the
 * same since its version 1. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef struct rd_kafka_s rd_kafka_t;
typedef struct rd_kafka_conf_s rd_kafka_conf_t;
typedef struct rd_kafka_topic_s rd_kafka_topic_t;
typedef struct rd_kafka_queue_s rd_kafka_queue_t;
typedef struct rd_kafka_partitions_s rd_kafka_partitions_t;

typedef struct {
    int err;
    rd_kafka_topic_t *rkt;
    int32_t partition;
    void *payload;
    size_t len;
    void *key;
    size_t key_len;
    int64_t offset;
    void *private_part;
} rd_kafka_message_t;

typedef struct {
    char *topic;
    int32_t partition;
    int64_t offset;
} rd_kafka_partition_t;

enum { PRODUCER = 0, CONSUMER = 1, CONF_OK = 0, ANY_PARTITION = -1, QUEUE_FULL = -184, BEGINNING = -2 };

rd_kafka_conf_t *rd_kafka_conf_new(void);
int rd_kafka_conf_set(rd_kafka_conf_t *, const char *, const char *, char *, size_t);
void rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t *, void (*)(rd_kafka_t *, const rd_kafka_message_t *, void *));
rd_kafka_t *rd_kafka_new(int, rd_kafka_conf_t *, char *, size_t);
rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *, const char *, void *);
int rd_kafka_produce(rd_kafka_topic_t *, int32_t, int, void *, size_t, const void *, size_t, void *);
int rd_kafka_last_error(void);
const char *rd_kafka_err2str(int);
int rd_kafka_poll(rd_kafka_t *, int);
int rd_kafka_flush(rd_kafka_t *, int);
int rd_kafka_poll_set_consumer(rd_kafka_t *);
rd_kafka_queue_t *rd_kafka_queue_get_consumer(rd_kafka_t *);
rd_kafka_partitions_t *rd_kafka_topic_partition_list_new(int);
rd_kafka_partition_t *rd_kafka_topic_partition_list_add(rd_kafka_partitions_t *, const char *, int32_t);
int rd_kafka_assign(rd_kafka_t *, const rd_kafka_partitions_t *);
ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *, int, rd_kafka_message_t **, size_t);
void rd_kafka_message_destroy(rd_kafka_message_t *);

/* As many keys as the other program has. */
enum { KEYS = 4096, KEY_BYTES = 8, POLL_RECORDS = 500, POLL_EVERY = 128 };

static long delivered, failed;
static int first_error;

static void die(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client, (void)opaque;
    delivered++;
    if (message->err) {
        failed++;
        first_error = message->err;
    }
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char error[512];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != CONF_OK) die(name, error);
}

static rd_kafka_t *make(int kind, rd_kafka_conf_t *conf) {
    char error[512];
    rd_kafka_t *client = rd_kafka_new(kind, conf, error, sizeof error);
    if (!client) die("rd_kafka_new", error);
    return client;
}

/* Says where it is, and waits for a line, or for the end of its input. */
static void say(const char *line) {
    char answer[16];
    puts(line);
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin)) return;
}

static void done(long records, long long bytes) {
    char line[64];
    snprintf(line, sizeof line, "done %ld %lld", records, bytes);
    say(line);
}

static void key_of(long number, unsigned char *key) {
    uint64_t mixed = (uint64_t)(number % KEYS) * 0x9e3779b97f4a7c15u;
    for (int place = 0; place < KEY_BYTES; place++) key[place] = mixed >> (8 * (KEY_BYTES - 1 - place));
}

static void send_one(rd_kafka_t *client, rd_kafka_topic_t *topic, void *value, size_t bytes, const void *key) {
    /* No flag: the value stays where it is until it is delivered, and the library copies it when it makes a batch. */
    while (rd_kafka_produce(topic, ANY_PARTITION, 0, value, bytes, key, KEY_BYTES, NULL) == -1) {
        if (rd_kafka_last_error() != QUEUE_FULL) die("produce", rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(client, 100);
    }
}

static void produce(rd_kafka_conf_t *conf, const char *name, long records, size_t value_bytes) {
    set(conf, "acks", "all");
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "5");
    set(conf, "batch.size", "65536");
    set(conf, "queue.buffering.max.kbytes", "32768");
    set(conf, "queue.buffering.max.messages", "100000");
    set(conf, "compression.type", "none");
    set(conf, "partitioner", "murmur2_random");
    rd_kafka_conf_set_dr_msg_cb(conf, report);
    rd_kafka_t *client = make(PRODUCER, conf);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
    unsigned char *value = calloc(1, value_bytes), (*keys)[KEY_BYTES] = calloc(KEYS, KEY_BYTES);
    if (!topic || !value || !keys) die(name, "no memory");
    memset(value, 'v', value_bytes);
    for (long number = 0; number < KEYS; number++) key_of(number, keys[number]);
    send_one(client, topic, value, value_bytes, keys[0]);
    if (rd_kafka_flush(client, 30000) || failed) die("the first record", rd_kafka_err2str(first_error));
    delivered = 0;
    say("ready");
    for (long number = 0; number < records; number++) {
        send_one(client, topic, value, value_bytes, keys[number % KEYS]);
        if (number % POLL_EVERY == 0) rd_kafka_poll(client, 0);
    }
    if (rd_kafka_flush(client, 60000)) die("flush", "not everything was delivered in time");
    if (failed) die("a record was not delivered", rd_kafka_err2str(first_error));
    done(delivered, (long long)delivered * (long long)(value_bytes + KEY_BYTES));
}

static void consume(rd_kafka_conf_t *conf, const char *name, int partitions, long records) {
    set(conf, "group.id", "load");
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.auto.offset.store", "false");
    set(conf, "check.crcs", "true");
    rd_kafka_t *client = make(CONSUMER, conf);
    rd_kafka_poll_set_consumer(client);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
    rd_kafka_partitions_t *all = rd_kafka_topic_partition_list_new(partitions);
    for (int partition = 0; partition < partitions; partition++)
        rd_kafka_topic_partition_list_add(all, name, partition)->offset = BEGINNING;
    say("ready");
    int error = rd_kafka_assign(client, all);
    if (error) die("assign", rd_kafka_err2str(error));
    rd_kafka_message_t *messages[POLL_RECORDS];
    long seen = 0;
    long long bytes = 0;
    while (seen < records) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 1000, messages, POLL_RECORDS);
        if (count < 0) die("consume", rd_kafka_err2str(rd_kafka_last_error()));
        for (ssize_t place = 0; place < count; place++) {
            if (messages[place]->err) die("consume", rd_kafka_err2str(messages[place]->err));
            bytes += (long long)(messages[place]->key_len + messages[place]->len);
            seen++;
            rd_kafka_message_destroy(messages[place]);
        }
    }
    done(seen, bytes);
}

int main(int count, char **words) {
    if (count != 7) die("usage", "load produce|consume HOST:PORT TOPIC PARTITIONS RECORDS VALUE_BYTES");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", words[2]);
    if (!strcmp(words[1], "produce")) produce(conf, words[3], atol(words[5]), (size_t)atol(words[6]));
    else consume(conf, words[3], atoi(words[4]), atol(words[5]));
    /* What it holds goes with the process. */
    return 0;
}
