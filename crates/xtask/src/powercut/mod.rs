//! `cargo xtask powercut`: a broker on a file system of its own, under load of other people's clients; the file system is
//! shut down without a flush, the broker is killed, everything is started again, read back and compared.
//!
//! What the kernel had not written is gone then, as after a power cut; what a disk itself may lose is the simulator's to
//! show. `docs/reliability.md` says what is judged, and has the figures.

mod client;
mod disk;
mod options;
mod page;
mod tally;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::test::broker::Broker;
use crate::test::report::Row;
use crate::test::{Context, TestOptions, build, fetch};
use client::Client;
use disk::CutDisk;
use options::Options;
use tally::Tally;

/// The name among the parts of `cargo xtask test`.
pub const PART: &str = "powercut";

/// What the broker is told beside what every broker under test is told: compaction is at work all the time.
const PROPERTIES: &str = "log.cleaner.backoff.ms=200\nauto.create.topics.enable=false\n";

/// In one round of so many the next cut comes while the broker still recovers from the last one.
const AGAIN_EVERY: u32 = 4;

/// How long the broker may run before it is cut in its recovery.
const RECOVERY_MS: u64 = 250;

/// How long a round's load, its return and its judgement may take each before the run gives up: Kafka needs half a minute.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    let context = Context::new(TestOptions { broker: options.broker.clone(), ..TestOptions::default() })?;
    if let Err(missing) = disk::possible() {
        println!("SKIPPED powercut: {missing}");
        return Ok(());
    }
    if options.broker.is_none() {
        build(&context.root)?;
    }
    let tally = cut_repeatedly(&context, &options, &mut |line| println!("{line}"))?;
    println!("{}", tally.summary());
    if options.update_docs {
        page::update(&context.root, options.subject(), &tally)?;
    }
    let violations = tally.violations(Some(options.back));
    for violation in &violations {
        eprintln!("VIOLATION {violation}");
    }
    if violations.is_empty() || options.tolerant { Ok(()) } else { Err(String::new()) }
}

/// Ten cuts, as rows for `cargo xtask test`. How long the broker takes to return is told and not judged there.
pub fn ten(context: &Context) -> Result<Vec<Row>, String> {
    const CHECK: &str = "ten power cuts";
    if let Err(missing) = disk::possible() {
        return Ok(vec![Row::skip(PART, CHECK, missing)]);
    }
    if let Err(missing) = fetch::python(context, "powercut.py")
        && !context.options.everything_required
    {
        return Ok(vec![Row::skip(PART, CHECK, missing)]);
    }
    let begun = Instant::now();
    let options = Options { rounds: 10, records: 10_000, ..Options::default() };
    let tally = cut_repeatedly(context, &options, &mut |_| ())?;
    let violations = tally.violations(None);
    let result = if violations.is_empty() { Ok(tally.summary()) } else { Err(violations.join("; ")) };
    Ok(vec![Row::from_result(PART, CHECK, result).took(begun.elapsed())])
}

/// Where a run is: the disk, the broker on it and the clients.
struct Bench<'a> {
    context: &'a Context,
    dir: PathBuf,
    broker: Broker,
    client: Client,
    // Last, as it is taken away only after the broker has ended.
    disk: CutDisk,
}

fn cut_repeatedly(
    context: &Context,
    options: &Options,
    tell: &mut dyn FnMut(String),
) -> Result<Tally, String> {
    let program = fetch::python(context, "powercut.py")?;
    let dir = context.part_dir(PART)?;
    let disk = CutDisk::create(&dir, options.disk_mib)?;
    let mut broker = Broker::configure(&dir, Broker::command(context), PROPERTIES)?;
    broker.launch(context)?;
    disk.guard_process(broker.pid());
    let client = Client::start(&program, &broker, &dir, PATIENCE)?;
    let mut bench = Bench { context, dir, broker, client, disk };
    let mut tally = Tally::default();
    let mut chance = Chance(options.seed);
    for round in 1..=options.rounds {
        let outcome = bench.round(round, options, &mut chance, &mut tally);
        outcome.map_err(|error| {
            format!(
                "round {round}: {error}\n{}\n{}",
                bench.broker.log_tail(),
                bench.client.errors(&bench.dir)
            )
        })?;
        tell(tally.line(round));
    }
    tally.judged(bench.client.judge("WHOLE")?, true);
    bench.client.end()?;
    bench.broker.stop()?;
    Ok(tally)
}

impl Bench<'_> {
    /// Load, a cut, the return and the judgement.
    fn round(
        &mut self,
        round: u32,
        options: &Options,
        chance: &mut Chance,
        tally: &mut Tally,
    ) -> Result<(), String> {
        self.client.load(options.records)?;
        // Not always at the same point of the broker's work.
        thread::sleep(Duration::from_millis(chance.below(300)));
        self.cut()?;
        tally.cuts += 1;
        if round.is_multiple_of(AGAIN_EVERY) {
            self.broker.spawn(self.context)?;
            self.disk.guard_process(self.broker.pid());
            thread::sleep(Duration::from_millis(chance.below(RECOVERY_MS)));
            self.cut()?;
            tally.cuts += 1;
            tally.cuts_in_recovery += 1;
        }
        let exec = Instant::now();
        self.broker.launch(self.context)?;
        self.disk.guard_process(self.broker.pid());
        let back = self.client.wait_for_return(exec)?;
        tally.returned(back);
        tally.judged(self.client.judge("JUDGE")?, false);
        Ok(())
    }

    /// From one instant to the next nothing reaches the disk, and the process is gone. The disk is there again afterwards.
    fn cut(&mut self) -> Result<(), String> {
        self.disk.cut(self.broker.pid())?;
        self.broker.kill();
        self.disk.guard_process(None);
        self.client.hear_the_last()?;
        self.disk.mount_again()
    }
}

/// Numbers that look random and that a seed repeats.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
