//! The metadata log and its snapshots: batches, records, replay.

use std::sync::Arc;

use kernel::{LeaderEpoch, Offset, Timestamp};
use metadata::log::{decode_batch, encode_snapshot};
use metadata::{Delta, Image, MetadataRecord, MetadataVersion};
use wire::batch::{BatchBuilder, BatchView};

use super::Target;
use crate::bound::{FREE_BYTES, within};
use crate::input::{Input, Output};
use crate::seal;

pub const METADATA: Target = Target {
    name: "metadata",
    what: "the metadata log: batches or records of any kind, their replay, and the snapshot of what they add up to",
    run: run_metadata,
    seeds: seeds_metadata,
    len_max: 1024,
    micros: 70,
};

/// What an image and its delta may hold for each byte of a log: a registration of a few bytes becomes entries of several maps.
const IMAGE_PER_BYTE: usize = 256;

const TIME: Timestamp = Timestamp(1_700_000_000_000);

fn run_metadata(input: &[u8]) {
    let mut input = Input::new(input);
    let log = match input.byte() % 2 {
        0 => seal::batches(input),
        _ => batch_of_values(input),
    };
    let may = IMAGE_PER_BYTE * log.len() + 2 * FREE_BYTES;
    let image = within(may, || replay(&log, &Arc::default()));
    if image == Image::default() {
        return;
    }
    // What a snapshot keeps is all there is to say of an image: read again, it says the same.
    let Ok(pieces) = encode_snapshot(&image, TIME) else { return };
    let snapshot = pieces.concat();
    let second = replay(&snapshot, &Arc::default());
    let Ok(pieces) = encode_snapshot(&second, TIME) else { panic!("a snapshot can be written only once") };
    let third = replay(&pieces.concat(), &Arc::default());
    assert!(second == third, "an image does not come back from its snapshot");
}

/// Replays what can be read, as far as it can.
fn replay(log: &[u8], base: &Arc<Image>) -> Image {
    let mut delta = Delta::new(base);
    for batch in BatchView::iter(log) {
        let Ok(batch) = batch else { break };
        let Ok(decoded) = decode_batch(&batch) else { break };
        delta.replay_batch(&decoded);
    }
    assert!(delta.notes().iter().all(|note| !note.is_empty()), "a note says something");
    delta.apply()
}

/// Values of records, each after its length, in a sound batch.
fn batch_of_values(mut input: Input<'_>) -> Vec<u8> {
    let mut builder = BatchBuilder::new().base_offset(Offset(0)).leader_epoch(LeaderEpoch(1));
    while !input.is_empty() {
        builder.append(TIME, None, Some(input.part()));
    }
    builder.build().map(Vec::from).unwrap_or_default()
}

fn seeds_metadata() -> Vec<Vec<u8>> {
    let values = sample_values();
    let mut seeds: Vec<_> = values.iter().map(|value| Output::default().bytes(&[1]).part(value).0).collect();
    let all = values.iter().fold(Output::default().bytes(&[1]), |out, value| out.part(value));
    let log = batch_of_values(Input::new(&all.0[1..]));
    seeds.push(all.0);
    seeds.push(Output::default().bytes(&[0]).bytes(&seal::seed(&[&log])).0);
    let image = replay(&log, &Arc::default());
    let pieces = encode_snapshot(&image, TIME).expect("it can be written");
    seeds.push(Output::default().bytes(&[0]).bytes(&seal::seed(&pieces)).0);
    seeds
}

/// A value of every kind of record, from the facts that a small cluster has.
fn sample_values() -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    let levels = [MetadataVersion::LATEST];
    for key in 0..64_u8 {
        for version in 0..8 {
            // A record of nothing but zeros and empty fields is one of its kind, if it is long enough.
            let zeros = [&[1, key, version][..], &[0; 120]].concat();
            let Ok(record) = MetadataRecord::decode(&zeros) else { continue };
            let whole = levels.iter().filter_map(|level| record.encode(*level).ok());
            values.extend(whole.map(|value| value.to_vec()));
            values.push(zeros);
        }
    }
    values.sort();
    values.dedup();
    values
}
