//! Changing client quotas.

use kernel::ErrorCode;

use super::code;
use crate::controller::testing::*;
use crate::controller::*;
use crate::image::{Image, QuotaEntity, quota_record};

type Entity = Vec<(String, Option<String>)>;

fn entity(parts: &[(&str, Option<&str>)]) -> Entity {
    parts.iter().map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned))).collect()
}

fn alter(image: &Image, entries: &[(Entity, &[(&str, Option<f64>)])]) -> Decision<Vec<QuotaReply>> {
    let entries = entries.iter().map(|(entity, limits)| QuotaChange {
        entity: entity.clone(),
        limits: limits.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect(),
    });
    alter_client_quotas(image, &AlterClientQuotas { entries: entries.collect(), validate_only: false })
}

#[test]
fn a_limit_is_set_changed_and_taken_away() {
    let image = cluster([]);
    let user = entity(&[("user", Some("u")), ("client-id", None)]);
    let key = QuotaEntity::new(user.clone());
    let set = alter(&image, &[(user.clone(), &[("producer_byte_rate", Some(1024.0))])]);
    assert_eq!(set.records, [quota_record(&key, "producer_byte_rate", Some(1024.0)).into()]);
    let image = apply(&image, &set.records);
    let same = alter(&image, &[(user.clone(), &[("producer_byte_rate", Some(1024.0))])]);
    assert_eq!((same.records.len(), code(&same.reply[0].result)), (0, ErrorCode::None));
    let both = alter(&image, &[(user, &[("producer_byte_rate", None), ("consumer_byte_rate", None)])]);
    assert_eq!(both.records, [quota_record(&key, "producer_byte_rate", None).into()]);
    assert_eq!(apply(&image, &both.records).quotas.get(&key), None);
}

#[test]
fn entities_and_limits_are_checked() {
    let user = || entity(&[("user", None)]);
    let ip = |name| entity(&[("ip", Some(name))]);
    let cases: [(Entity, (&str, Option<f64>), bool); 15] = [
        (user(), ("request_percentage", Some(0.5)), true),
        (user(), ("producer_byte_rate", Some(0.5)), false),
        (user(), ("producer_byte_rate", Some(0.0)), false),
        (user(), ("producer_byte_rate", Some(-1.0)), false),
        (user(), ("producer_byte_rate", Some(f64::NAN)), false),
        (user(), ("producer_byte_rate", Some(1e30)), false),
        (user(), ("connection_creation_rate", Some(1.0)), false),
        (user(), ("no_such_rate", None), false),
        (entity(&[]), ("producer_byte_rate", Some(1.0)), false),
        (entity(&[("user", Some(""))]), ("producer_byte_rate", Some(1.0)), false),
        (entity(&[("group", Some("g"))]), ("producer_byte_rate", Some(1.0)), false),
        (entity(&[("user", None), ("ip", None)]), ("producer_byte_rate", Some(1.0)), false),
        (ip("127.0.0.1"), ("connection_creation_rate", Some(10.0)), true),
        (ip("nowhere"), ("connection_creation_rate", Some(10.0)), false),
        (ip("::1"), ("connection_creation_rate", Some(3e9)), false),
    ];
    for (entity, limit, allowed) in cases {
        let decision = alter(&cluster([]), &[(entity.clone(), &[limit])]);
        let expected = if allowed { ErrorCode::None } else { ErrorCode::InvalidRequest };
        assert_eq!(code(&decision.reply[0].result), expected, "{entity:?} {limit:?}");
        assert_eq!(decision.records.len(), usize::from(allowed));
    }
}

#[test]
fn an_entity_counts_once_however_its_parts_are_ordered() {
    let one = entity(&[("user", None), ("client-id", None)]);
    let other = one.iter().rev().cloned().collect();
    let limit: &[_] = &[("consumer_byte_rate", Some(1.0))];
    let decision = alter(&cluster([]), &[(one, limit), (other, limit)]);
    let codes: Vec<ErrorCode> = decision.reply.iter().map(|reply| code(&reply.result)).collect();
    assert_eq!(codes, [ErrorCode::None, ErrorCode::InvalidRequest]);
    assert_eq!(decision.records.len(), 1);
}
