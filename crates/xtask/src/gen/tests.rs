use super::schema::{Default, Kind, Type, Versions, parse};
use super::{emit, table};

const HEAD: &str = "request HelloRequest\nkey 7\nversions 1-4\nflexible 3\nlisteners broker\n\n";

/// What is wrong with a body, with its line in the file.
fn complaint(body: &str) -> String {
    parse("hello_request", &format!("{HEAD}{body}")).expect_err("the body is wrong").to_string()
}

#[test]
fn a_definition_says_all_about_its_fields() {
    let body =
        "Names: []string?2.. @..3 = x ignorable\nPeer: Peer? @3.. tag 1 = null {\n    Id: i32 = -1\n}\n";
    let message = parse("hello_request", &format!("{HEAD}{body}")).expect("it is valid");
    assert_eq!((message.kind, message.key, message.flexible), (Kind::Request, Some(7), Some(3)));
    let [names, peer] = &message.structs[0].fields[..] else {
        panic!("{message:?}");
    };
    assert_eq!((&names.ty, names.array, names.ignorable), (&Type::String, true, true));
    assert_eq!(names.versions, Versions { first: 1, last: 3 });
    assert_eq!(names.nullable, Some(Versions { first: 2, last: 3 }));
    assert_eq!((peer.tag, &peer.default, peer.nullable), (Some(1), &Default::Null, Some(peer.versions)));
    let inner = message.find("Peer").expect("the brace declares it");
    assert_eq!(inner.fields[0].default, Default::Literal("-1".to_owned()));
    assert_eq!(inner.versions, Versions { first: 3, last: 4 });
}

#[test]
fn what_is_wrong_is_told_with_file_and_line() {
    for (body, expected) in [
        ("A: i33\n", "7: unknown type `i33`"),
        ("A: i32\nB: Missing\n", "8: struct Missing is not declared"),
        ("A: i32 @5..\n", "7: versions 5.. are not within 1..4"),
        ("A: i32?\n", "7: a number cannot be null"),
        ("A: string = null\n", "7: null is the default, but not allowed in every version"),
        ("A: i32 @1.. tag 0\n", "7: a tagged field lives from a flexible version to the last"),
        ("A: i32 @3.. tag 0\nB: i32 @3.. tag 0\n", "7: tag 0 is taken"),
        ("A: []B {\n", "7: a brace is not closed"),
        ("A: i32\n}\n", "8: nothing is open that this brace could close"),
        ("A: i32 {\n", "7: only a struct has fields of its own"),
        ("A: i32 sometimes\n", "7: unexpected `sometimes`"),
        ("A: B {\n}\nstruct B {\n}\n", "1: struct B is declared twice"),
        ("struct B @2.. {\n}\nA: B\n", "9: struct B does not exist in all these versions"),
        ("colour green\n", "7: unknown fact `colour`"),
    ] {
        assert_eq!(complaint(body), format!("crates/wire/schema/hello_request.msg:{expected}"), "{body}");
    }
    assert!(
        parse("x", "").is_err()
            && parse("x", "letter X\n").is_err()
            && parse("x", "data X\nA: i8\n").is_err()
    );
}

#[test]
fn a_message_that_borrows_nothing_has_one_type_for_both_families() {
    let plain = parse("hello_request", &format!("{HEAD}A: i32\n")).expect("it is valid");
    assert!(emit::module(&plain).contains("pub type HelloRequestView = HelloRequest;"));
    let borrowed = parse("hello_request", &format!("{HEAD}A: string\n")).expect("it is valid");
    assert!(emit::module(&borrowed).contains("pub struct HelloRequestView<'a>"));
}

#[test]
fn an_unstable_version_is_listed_apart_from_the_served_ones() {
    let message = parse("hello_request", &format!("{HEAD}unstable 4\n")).expect("it is valid");
    let answered = table::answered("    Hello => k07_hello,\n");
    let row = "| 7 | Hello | 1–3 (4 unstable) | 3 | broker | [k07_hello](../crates/broker/src/api/k07_hello.rs) |  |";
    assert!(table::page(&[message], &answered).contains(row));
}
