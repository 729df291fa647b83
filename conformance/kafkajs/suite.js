// KafkaJS against one broker. Prints one row per check for the harness:
// ROW<TAB>client<TAB>check<TAB>PASS|FAIL|SKIP<TAB>seconds<TAB>message.
const { fork } = require('child_process')
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => lz4.compressFrameSync(encoder.buffer),
  decompress: async (buffer) => lz4.decompressFrameSync(buffer),
})
const zstd = new Promise((resolve) => require('zstd-codec').ZstdCodec.run((z) => resolve(new z.Simple())))
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from((await zstd).decompress(buffer)),
})

const bootstrap = process.argv[2]
const kafka = new Kafka({ clientId: 'conformance', brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 8 } })
const admin = kafka.admin()
const run = `kafkajs-${Math.floor(Date.now() / 1000)}`

function expect(ok, message) {
  if (!ok) throw new Error(message)
}

async function until(what, ready, seconds = 30) {
  const deadline = Date.now() + seconds * 1000
  while (!(await ready())) {
    expect(Date.now() < deadline, `not within ${seconds} s: ${typeof what === 'function' ? what() : what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function topic(what, partitions = 1, configs = {}) {
  const name = `${run}-${what}`
  const configEntries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
  await admin.createTopics({ topics: [{ topic: name, numPartitions: partitions, replicationFactor: 1, configEntries }], waitForLeaders: true })
  return name
}

async function produce(name, messages, options = {}) {
  const producer = kafka.producer({ idempotent: options.idempotent || false, allowAutoTopicCreation: false, retry: { retries: 3 } })
  await producer.connect()
  try {
    const batches = []
    for (let at = 0; at < messages.length; at += 50) batches.push(messages.slice(at, at + 50))
    for (const batch of batches) {
      await producer.send({ topic: name, messages: batch, compression: options.compression || CompressionTypes.None, acks: options.acks ?? -1 })
    }
  } finally {
    await producer.disconnect()
  }
}

class Member {
  constructor(group, name, { autoCommit = true, partitionsConsumedConcurrently = 1 } = {}) {
    this.got = []
    this.owned = 0
    this.consumer = kafka.consumer({ groupId: group, sessionTimeout: 3000, heartbeatInterval: 500, rebalanceTimeout: 10000, maxWaitTimeInMs: 200 })
    this.consumer.on('consumer.group_join', (e) => { this.owned = (e.payload.memberAssignment[name] || []).length })
    this.start = async () => {
      await this.consumer.connect()
      await this.consumer.subscribe({ topics: [name], fromBeginning: true })
      await this.consumer.run({ autoCommit, partitionsConsumedConcurrently, autoCommitInterval: 500,
        eachMessage: async ({ partition, message }) => { this.got.push({ partition, ...message }) } })
    }
  }
  async stop() {
    await this.consumer.disconnect()
  }
}

// Everything is read through a group: KafkaJS knows no other way.
async function read(name, count, seek = null) {
  const member = new Member(`${name}-reader-${Math.random()}`, name, { autoCommit: false })
  await member.start()
  if (seek !== null) {
    member.got.length = 0
    member.consumer.seek({ topic: name, partition: 0, offset: String(seek) })
  }
  const enough = () => (seek === null ? member.got : member.got.filter((m) => Number(m.offset) >= seek)).length >= count
  try {
    await until(() => `${count} records, got ${member.got.length}`, enough)
  } finally {
    await member.stop()
  }
  return member.got
}

const numbered = (n, prefix = 'v') => [...Array(n).keys()].map((i) => ({ key: `k${i}`, value: `${prefix}${i}` }))

async function codec(name, compression) {
  const t = await topic(`codec-${name}`)
  const sent = [...Array(200).keys()].map((i) => ({ key: `k${i}`, value: 'value '.repeat(40) + i, headers: { n: String(i), twice: ['a', 'b'], empty: '' } }))
  await produce(t, sent, { compression })
  const got = await read(t, 200)
  got.slice(0, 200).forEach((m, i) => {
    expect(m.offset === String(i), `record ${i} has offset ${m.offset}`)
    expect(String(m.key) === sent[i].key && String(m.value) === sent[i].value, `record ${i} differs: ${m.value}`)
    expect(String(m.headers.n) === String(i) && m.headers.twice.length === 2 && m.headers.empty.length === 0, `headers of ${i} differ`)
  })
}

async function groupOfThree() {
  const t = await topic('group', 6)
  const group = `${run}-three`
  const [one, two] = [new Member(group, t), new Member(group, t)]
  let third
  const values = () => new Set([...one.got, ...two.got].map((m) => String(m.value)))
  const owned = (n) => () => one.owned === n && two.owned === n
  const sizes = () => `${one.owned} and ${two.owned} partitions`
  const spread = (prefix) => numbered(60, prefix).map((m, i) => ({ ...m, partition: i % 6 }))
  try {
    await Promise.all([one.start(), two.start()])
    await until(() => `two members with 3 each: ${sizes()}`, owned(3))
    await produce(t, spread('a'))
    await until(() => `60 records: ${values().size}`, () => values().size === 60)
    third = fork(__filename, [bootstrap, '--member', group, t])
    await until(() => `a third takes 2: ${sizes()}`, owned(2))
    await until('a stable group of three', async () => {
      const described = (await admin.describeGroups([group])).groups[0]
      return described.state === 'Stable' && described.members.length === 3
    })
    third.kill('SIGKILL')
    await produce(t, spread('b'))
    await until(() => `two take over: ${sizes()}`, owned(3))
    await until(() => `120 records: ${values().size}`, () => values().size === 120)
  } finally {
    if (third) third.kill('SIGKILL')
    await Promise.all([one.stop(), two.stop()])
  }
}

async function resume() {
  const t = await topic('resume')
  const group = `${run}-resume`
  await produce(t, numbered(40))
  const visit = async (n, from) => {
    const member = new Member(group, t, { autoCommit: false })
    await member.start()
    await until(() => `${n} records`, () => member.got.length >= n)
    await member.consumer.commitOffsets([{ topic: t, partition: 0, offset: String(from + n) }])
    await member.stop()
    return member.got
  }
  expect((await visit(15, 0))[0].offset === '0', 'the first visit did not start at 0')
  expect((await visit(25, 15))[0].offset === '15', 'the second visit did not resume at 15')
  const offsets = await admin.fetchOffsets({ groupId: group, topics: [t] })
  expect(offsets[0].partitions[0].offset === '40', `committed offset is ${offsets[0].partitions[0].offset}`)
}

async function config(type, name) {
  const got = await admin.describeConfigs({ includeSynonyms: true, resources: [{ type, name }] })
  return Object.fromEntries(got.resources[0].configEntries.map((e) => [e.configName, e.configValue]))
}

const checks = {
  'create topic': async () => {
    const t = await topic('create', 3, { 'retention.ms': '123456' })
    expect((await admin.listTopics()).includes(t), 'the topic is not listed')
    expect((await config(ConfigResourceTypes.TOPIC, t))['retention.ms'] === '123456', 'the config given at creation is not there')
  },
  'produce and consume none': () => codec('none', CompressionTypes.None),
  'produce and consume gzip': () => codec('gzip', CompressionTypes.GZIP),
  'produce and consume snappy': () => codec('snappy', CompressionTypes.Snappy),
  'produce and consume lz4': () => codec('lz4', CompressionTypes.LZ4),
  'produce and consume zstd': () => codec('zstd', CompressionTypes.ZSTD),
  'null key and value': async () => {
    const t = await topic('nulls')
    await produce(t, [{ key: null, value: 'no key' }, { key: 'tombstone', value: null }])
    const got = await read(t, 2)
    expect(got[0].key === null && got[1].value === null, `nulls came back as ${got[0].key} and ${got[1].value}`)
  },
  'too large is refused': async () => {
    const t = await topic('too-large', 1, { 'max.message.bytes': '1000' })
    const error = await produce(t, [{ value: 'x'.repeat(5000) }]).then(() => null, (e) => e)
    expect(error && /large/i.test(`${error.type} ${error.message}`), `the error is ${error}`)
  },
  'idempotent producer': async () => {
    const t = await topic('idempotent', 2)
    await produce(t, numbered(400).map((m, i) => ({ ...m, partition: i % 2 })), { idempotent: true })
    const got = await read(t, 400)
    for (const p of [0, 1]) {
      const want = numbered(400).filter((_, i) => i % 2 === p).map((m) => m.value).join()
      expect(got.filter((m) => m.partition === p).map((m) => String(m.value)).join() === want, `partition ${p} differs`)
    }
  },
  'acks=0 and acks=1': async () => {
    const t = await topic('acks')
    await produce(t, numbered(50), { acks: 0 })
    await produce(t, numbered(50), { acks: 1 })
    await read(t, 100)
  },
  'consume from a timestamp': async () => {
    const t = await topic('time')
    const base = Date.now() - 100_000
    await produce(t, numbered(50).map((m, i) => ({ ...m, timestamp: String(base + i * 1000) })))
    const found = await admin.fetchTopicOffsetsByTimestamp(t, base + 29_500)
    expect(found[0].offset === '30', `the offset of the time is ${found[0].offset}`)
    const got = (await read(t, 20, 30)).filter((m) => Number(m.offset) >= 30)
    expect(got[0].timestamp === String(base + 30_000), `the first timestamp is ${got[0].timestamp}`)
  },
  'commit and resume': resume,
  'group of three, one joins, one is killed': groupOfThree,
  'describe cluster': async () => {
    const got = await admin.describeCluster()
    expect(got.clusterId && got.brokers.length === 1, JSON.stringify(got))
  },
  'describe broker configs': async () => {
    const { brokers } = await admin.describeCluster()
    const got = await config(ConfigResourceTypes.BROKER, String(brokers[0].nodeId))
    expect(Object.keys(got).length > 150, `only ${Object.keys(got).length} broker configs`)
  },
  'alter topic configs': async () => {
    const t = await topic('alter')
    await admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: t, configEntries: [{ name: 'max.message.bytes', value: '54321' }] }] })
    await until('the new value', async () => (await config(ConfigResourceTypes.TOPIC, t))['max.message.bytes'] === '54321')
  },
  'create partitions': async () => {
    const t = await topic('grow')
    await admin.createPartitions({ topicPartitions: [{ topic: t, count: 4 }] })
    await until('4 partitions', async () => (await admin.fetchTopicMetadata({ topics: [t] })).topics[0].partitions.length === 4)
  },
  'list offsets and delete records': async () => {
    const t = await topic('trim')
    await produce(t, numbered(30))
    await admin.fetchTopicOffsets(t) // deleteTopicRecords looks only at metadata that is loaded already.
    await admin.deleteTopicRecords({ topic: t, partitions: [{ partition: 0, offset: '12' }] })
    const got = (await admin.fetchTopicOffsets(t))[0]
    expect(got.low === '12' && got.high === '30', JSON.stringify(got))
    expect((await read(t, 18))[0].offset === '12', 'the first record left is not 12')
  },
  'list, describe and delete groups': async () => {
    const t = await topic('gone')
    const group = `${run}-gone`
    await produce(t, numbered(5))
    const member = new Member(group, t)
    await member.start()
    await until('5 records', () => member.got.length === 5)
    await member.stop()
    const listed = async () => (await admin.listGroups()).groups.map((g) => g.groupId).includes(group)
    expect(await listed(), 'the group is not listed')
    await until('the group is empty', async () => (await admin.describeGroups([group])).groups[0].state === 'Empty')
    await admin.setOffsets({ groupId: group, topic: t, partitions: [{ partition: 0, offset: '2' }] })
    const offsets = await admin.fetchOffsets({ groupId: group, topics: [t] })
    expect(offsets[0].partitions[0].offset === '2', 'the offset that was set is not there')
    await admin.deleteGroups([group])
    expect(!(await listed()), 'the group is still listed')
  },
  'delete topic': async () => {
    const t = await topic('delete')
    await admin.deleteTopics({ topics: [t] })
    await until('the topic is gone', async () => !(await admin.listTopics()).includes(t))
  },
}

async function report(name, check) {
  const start = Date.now()
  let timer
  const deadline = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('the check took more than 60 s')), 60_000) })
  let row = ['PASS', '']
  try {
    await Promise.race([check(), deadline])
  } catch (error) {
    row = ['FAIL', `${error.name}: ${error.message}`.replace(/\s+/g, ' ')]
    console.error(error.stack)
  }
  clearTimeout(timer)
  console.log(['ROW', 'kafkajs', name, row[0], ((Date.now() - start) / 1000).toFixed(1), row[1]].join('\t'))
}

async function main() {
  if (process.argv[3] === '--member') {
    process.on('disconnect', () => process.exit(0))
    return new Member(process.argv[4], process.argv[5], { autoCommit: false }).start()
  }
  await admin.connect()
  for (const [name, check] of Object.entries(checks)) {
    if (name.includes(process.env.ONLY_CHECK || '')) await report(name, check)
  }
  process.exit(0)
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
