//! Incremental fetch sessions (KIP-227): a consumer names its partitions once and then only what changes, and is told
//! only of partitions that have news.
//!
//! *Invariant:* no clock and no log here. What was read comes in as values; what to answer goes out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, Instant, Uuid};
use parking_lot::Mutex;

use crate::hosted::Named;
use crate::lookup::Lookup;

/// A session that was not used for this long may have to make room for a new one.
const EVICTABLE_AFTER: Duration = Duration::from_secs(120);

/// The most partitions of one session; who names more gets none.
const PARTITIONS_MAX: usize = 100_000;

/// The request's session id where it has none.
pub const NO_SESSION: i32 = 0;
/// The epoch of a request that wants a new session.
const EPOCH_NEW: i32 = 0;
/// The epoch of a request that wants no session, or ends the one it had.
const EPOCH_FINAL: i32 = -1;

/// A partition as a fetch names it: by topic id since version 13, by topic name before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FetchKey {
    pub topic: TopicKey,
    pub partition: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TopicKey {
    Id(Uuid),
    Name(Arc<str>),
}

impl TopicKey {
    pub fn named(&self) -> Named<'_> {
        match self {
            Self::Id(id) => Named::Id(*id),
            Self::Name(name) => Named::Name(name),
        }
    }
}

/// What is asked of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub fetch_offset: i64,
    pub max_bytes: i32,
    /// -1 if the client does not know the leader's epoch.
    pub current_leader_epoch: i32,
    /// -1 if the client does not ask whether it has diverged.
    pub last_fetched_epoch: i32,
}

/// What is to be read, in order.
pub type Asked = Arc<[(FetchKey, Wanted)]>;

/// What an answer says of a partition, as far as a session must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    pub error: ErrorCode,
    pub has_records: bool,
    pub high_watermark: i64,
    pub log_start_offset: i64,
    pub diverging: bool,
}

#[derive(Debug)]
struct Cached {
    key: FetchKey,
    wanted: Wanted,
    high_watermark: i64,
    log_start_offset: i64,
}

impl Cached {
    fn new(key: FetchKey, wanted: Wanted) -> Self {
        Self { key, wanted, high_watermark: -1, log_start_offset: -1 }
    }

    /// Takes note of what is answered, and says whether the client must be told.
    fn note(&mut self, news: &News) -> bool {
        let moved =
            self.high_watermark != news.high_watermark || self.log_start_offset != news.log_start_offset;
        self.high_watermark = news.high_watermark;
        self.log_start_offset = news.log_start_offset;
        if !news.error.is_none() {
            // The end of the error is news as well.
            self.high_watermark = -1;
            return true;
        }
        news.has_records || moved || news.diverging
    }
}

#[derive(Debug)]
struct Session {
    epoch: i32,
    by_id: bool,
    /// In the order in which they are read; who got records goes to the end, so that nobody starves.
    partitions: BTreeMap<u64, Cached>,
    places: Lookup<FetchKey, u64>,
    next_place: u64,
    /// What is to be read, as long as nothing of it changes.
    listed: Option<Asked>,
    created: Instant,
    last_used: Instant,
}

impl Session {
    fn put(&mut self, key: FetchKey, wanted: Wanted) {
        if let Some(cached) = self.places.get(&key).and_then(|place| self.partitions.get_mut(place)) {
            if cached.wanted != wanted {
                cached.wanted = wanted;
                self.listed = None;
            }
            return;
        }
        self.append(Cached::new(key, wanted));
    }

    fn append(&mut self, cached: Cached) {
        self.listed = None;
        self.places.insert(cached.key.clone(), self.next_place);
        self.partitions.insert(self.next_place, cached);
        self.next_place += 1;
    }

    fn forget(&mut self, key: &FetchKey) {
        if let Some(place) = self.places.remove(key) {
            self.partitions.remove(&place);
            self.listed = None;
        }
    }

    fn list(&mut self) -> Asked {
        let partitions = &self.partitions;
        let list = || partitions.values().map(|cached| (cached.key.clone(), cached.wanted)).collect();
        Arc::clone(self.listed.get_or_insert_with(list))
    }

    /// Takes note of an answer for a partition; whether it must be part of the reply.
    fn note(&mut self, key: &FetchKey, news: &News) -> bool {
        let Some(place) = self.places.get(key).copied() else { return true };
        let Some(cached) = self.partitions.get_mut(&place) else { return true };
        let told = cached.note(news);
        if news.has_records
            && let Some(cached) = self.partitions.remove(&place)
        {
            self.append(cached);
        }
        told
    }
}

/// How one fetch is answered with regard to sessions.
#[derive(Debug)]
pub enum FetchContext {
    /// Every partition is answered and nothing is remembered.
    Sessionless(Vec<(FetchKey, Wanted)>),
    /// Every partition is answered, and a session begins if there is room.
    Full(Vec<(FetchKey, Wanted)>),
    /// Only news is answered.
    Incremental {
        session_id: i32,
        /// The epoch that the session has as long as no other request uses it.
        epoch: i32,
        partitions: Asked,
    },
}

impl FetchContext {
    /// What is to be read, in order.
    pub fn partitions(&self) -> &[(FetchKey, Wanted)] {
        match self {
            Self::Sessionless(partitions) | Self::Full(partitions) => partitions,
            Self::Incremental { partitions, .. } => partitions,
        }
    }
}

/// What a request says of sessions.
#[derive(Debug, Clone)]
pub struct SessionRequest {
    pub session_id: i32,
    pub epoch: i32,
    /// Whether partitions are named by topic id.
    pub by_id: bool,
    pub partitions: Vec<(FetchKey, Wanted)>,
    pub forgotten: Vec<FetchKey>,
}

/// All sessions of a node.
#[derive(Debug)]
pub struct FetchSessions {
    sessions: Mutex<BTreeMap<i32, Session>>,
    slots: usize,
}

impl FetchSessions {
    /// At most `slots` sessions (`max.incremental.fetch.session.cache.slots`).
    pub fn new(slots: usize) -> Self {
        Self { sessions: Mutex::default(), slots }
    }

    /// How many there may be.
    pub fn slots(&self) -> usize {
        self.slots
    }

    pub fn len(&self) -> usize {
        self.sessions.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds out what a fetch is to read.
    pub fn begin(&self, now: Instant, request: SessionRequest) -> Result<FetchContext, ErrorCode> {
        let mut sessions = self.sessions.lock();
        if request.epoch == EPOCH_NEW || request.epoch == EPOCH_FINAL {
            if request.session_id != NO_SESSION {
                sessions.remove(&request.session_id);
            }
            return Ok(match request.epoch {
                EPOCH_FINAL => FetchContext::Sessionless(request.partitions),
                _ => FetchContext::Full(request.partitions),
            });
        }
        let session = sessions.get_mut(&request.session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != request.epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != request.by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        for (key, wanted) in request.partitions {
            session.put(key, wanted);
        }
        for key in &request.forgotten {
            session.forget(key);
        }
        if session.partitions.len() > PARTITIONS_MAX {
            sessions.remove(&request.session_id);
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        if session.partitions.is_empty() {
            sessions.remove(&request.session_id);
            return Ok(FetchContext::Sessionless(Vec::new()));
        }
        session.epoch = next_epoch(session.epoch);
        session.last_used = now;
        let partitions = session.list();
        Ok(FetchContext::Incremental { session_id: request.session_id, epoch: session.epoch, partitions })
    }

    /// Takes note of the answers, in their order: the session id to answer with, and which of them are part of the
    /// reply. `new_id` is drawn at random for a session that begins; 0 is no id.
    pub fn finish(
        &self,
        now: Instant,
        context: &FetchContext,
        answers: &[(FetchKey, News)],
        new_id: i32,
    ) -> Result<(i32, Vec<bool>), ErrorCode> {
        let everything = || vec![true; answers.len()];
        Ok(match context {
            FetchContext::Sessionless(_) => (NO_SESSION, everything()),
            FetchContext::Full(partitions) => (self.create(now, partitions, answers, new_id), everything()),
            FetchContext::Incremental { session_id, epoch, .. } => {
                let mut sessions = self.sessions.lock();
                match sessions.get_mut(session_id) {
                    // Another request was begun before this one was answered.
                    Some(session) if session.epoch != *epoch => {
                        return Err(ErrorCode::InvalidFetchSessionEpoch);
                    }
                    Some(session) => {
                        (*session_id, answers.iter().map(|(key, news)| session.note(key, news)).collect())
                    }
                    // Evicted meanwhile: the next request of the client will learn it.
                    None => (*session_id, everything()),
                }
            }
        })
    }

    fn create(
        &self,
        now: Instant,
        partitions: &[(FetchKey, Wanted)],
        answers: &[(FetchKey, News)],
        id: i32,
    ) -> i32 {
        let mut sessions = self.sessions.lock();
        let id = id.checked_abs().unwrap_or(1);
        if partitions.is_empty()
            || partitions.len() > PARTITIONS_MAX
            || id == NO_SESSION
            || sessions.contains_key(&id)
        {
            return NO_SESSION;
        }
        if sessions.len() >= self.slots && !evict(&mut sessions, now, partitions.len()) {
            return NO_SESSION;
        }
        let mut session = Session {
            epoch: next_epoch(EPOCH_NEW),
            by_id: matches!(partitions.first(), Some((FetchKey { topic: TopicKey::Id(_), .. }, _))),
            partitions: BTreeMap::new(),
            places: Lookup::default(),
            next_place: 0,
            listed: None,
            created: now,
            last_used: now,
        };
        for (key, wanted) in partitions {
            session.put(key.clone(), *wanted);
        }
        for (key, news) in answers {
            session.note(key, news);
        }
        sessions.insert(id, session);
        id
    }
}

/// Removes a session that is stale, or else an older and smaller one than the session that wants its place.
fn evict(sessions: &mut BTreeMap<i32, Session>, now: Instant, size: usize) -> bool {
    // The id breaks ties.
    let oldest = sessions.iter().map(|(id, session)| (session.last_used, *id)).min();
    if let Some((last_used, id)) = oldest
        && now.since(last_used) > EVICTABLE_AFTER
    {
        sessions.remove(&id);
        return true;
    }
    let smallest = sessions
        .iter()
        .filter(|(_, session)| now.since(session.created) > EVICTABLE_AFTER)
        .map(|(id, session)| (session.partitions.len(), *id))
        .min();
    match smallest {
        Some((partitions, id)) if partitions < size => sessions.remove(&id).is_some(),
        _ => false,
    }
}

/// Epochs count up and start again at 1: 0 stands for a new session.
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> FetchKey {
        FetchKey { topic: TopicKey::Name("t".into()), partition }
    }

    fn wanted(fetch_offset: i64) -> Wanted {
        Wanted { fetch_offset, max_bytes: 100, current_leader_epoch: -1, last_fetched_epoch: -1 }
    }

    fn news(high_watermark: i64) -> News {
        News {
            error: ErrorCode::None,
            has_records: false,
            high_watermark,
            log_start_offset: 0,
            diverging: false,
        }
    }

    fn request(session_id: i32, epoch: i32, partitions: Vec<(FetchKey, Wanted)>) -> SessionRequest {
        SessionRequest { session_id, epoch, by_id: false, partitions, forgotten: Vec::new() }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn finish(
        sessions: &FetchSessions,
        now: Instant,
        context: &FetchContext,
        answers: &[(FetchKey, News)],
        new_id: i32,
    ) -> (i32, Vec<bool>) {
        sessions.finish(now, context, answers, new_id).expect("nobody else used the session")
    }

    fn started(sessions: &FetchSessions, now: Instant, id: i32) -> i32 {
        let asked = vec![(key(0), wanted(5)), (key(1), wanted(6))];
        let context = sessions.begin(now, request(0, 0, asked)).expect("a full fetch is always served");
        finish(sessions, now, &context, &[(key(0), news(10)), (key(1), news(10))], id).0
    }

    #[test]
    fn an_incremental_fetch_answers_only_news() {
        let sessions = FetchSessions::new(10);
        let id = started(&sessions, at(0), 77);
        assert_eq!(id, 77);
        let context = sessions.begin(at(1), request(77, 1, vec![(key(1), wanted(9))])).expect("known");
        assert_eq!(context.partitions(), &[(key(0), wanted(5)), (key(1), wanted(9))]);
        let answers = [(key(0), news(10)), (key(1), news(11))];
        assert_eq!(finish(&sessions, at(1), &context, &answers, 0), (77, vec![false, true]));
    }

    #[test]
    fn a_request_that_was_overtaken_is_refused() {
        let sessions = FetchSessions::new(10);
        started(&sessions, at(0), 7);
        let parked = sessions.begin(at(1), request(7, 1, vec![])).expect("known");
        let next = sessions.begin(at(1), request(7, 2, vec![])).expect("known");
        let answers = [(key(0), news(11))];
        assert_eq!(sessions.finish(at(2), &parked, &answers, 0), Err(ErrorCode::InvalidFetchSessionEpoch));
        assert_eq!(sessions.finish(at(2), &next, &answers, 0), Ok((7, vec![true])));
    }

    #[test]
    fn the_end_of_an_error_is_news() {
        let sessions = FetchSessions::new(10);
        started(&sessions, at(0), 7);
        let failed = News { error: ErrorCode::NotLeaderOrFollower, ..news(10) };
        let context = sessions.begin(at(1), request(7, 1, vec![])).expect("known");
        assert_eq!(finish(&sessions, at(1), &context, &[(key(0), failed)], 0).1, vec![true]);
        let context = sessions.begin(at(1), request(7, 2, vec![])).expect("known");
        assert_eq!(finish(&sessions, at(1), &context, &[(key(0), news(10))], 0).1, vec![true]);
    }

    #[test]
    fn a_partition_that_had_records_is_read_last_next_time() {
        let sessions = FetchSessions::new(10);
        started(&sessions, at(0), 7);
        let context = sessions.begin(at(1), request(7, 1, vec![])).expect("known");
        let records = News { has_records: true, ..news(10) };
        finish(&sessions, at(1), &context, &[(key(0), records)], 0);
        let context = sessions.begin(at(1), request(7, 2, vec![])).expect("known");
        let order: Vec<i32> = context.partitions().iter().map(|(key, _)| key.partition).collect();
        assert_eq!(order, vec![1, 0]);
    }

    #[test]
    fn wrong_epochs_ids_and_namings_are_refused() {
        let sessions = FetchSessions::new(10);
        started(&sessions, at(0), 7);
        let refused = |request| sessions.begin(at(1), request).err();
        assert_eq!(refused(request(8, 1, vec![])), Some(ErrorCode::FetchSessionIdNotFound));
        assert_eq!(refused(request(7, 2, vec![])), Some(ErrorCode::InvalidFetchSessionEpoch));
        let by_id = SessionRequest { by_id: true, ..request(7, 1, vec![]) };
        assert_eq!(refused(by_id), Some(ErrorCode::FetchSessionTopicIdError));
    }

    #[test]
    fn a_session_whose_last_partition_is_forgotten_ends() {
        let sessions = FetchSessions::new(10);
        started(&sessions, at(0), 7);
        let forget = SessionRequest { forgotten: vec![key(0), key(1)], ..request(7, 1, vec![]) };
        assert!(
            matches!(sessions.begin(at(1), forget), Ok(FetchContext::Sessionless(none)) if none.is_empty())
        );
        assert!(sessions.is_empty());
    }

    #[test]
    fn a_full_cache_gives_a_place_only_from_a_stale_session() {
        let sessions = FetchSessions::new(1);
        assert_eq!(started(&sessions, at(0), 7), 7);
        assert_eq!(started(&sessions, at(100), 8), NO_SESSION);
        assert_eq!(started(&sessions, at(121), 9), 9);
        assert_eq!(sessions.len(), 1);
    }
}
