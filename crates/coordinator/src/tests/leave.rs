use super::*;

#[test]
fn a_member_that_leaves_makes_the_others_rebalance() {
    let mut world = stable(&["a", "b"]);
    assert_eq!(world.leave(&[("b", None)]), ["#1 leave NONE: b=NONE"]);
    assert_eq!(world.state(), "PreparingRebalance [a]");
}

#[test]
fn when_the_last_member_leaves_the_answer_waits_for_the_record() {
    let mut world = stable(&["a"]);
    let request =
        LeaveRequest { group_id: "g", members: vec![LeavingMember { member_id: "a", instance_id: None }] };
    let effects = world.shard.on_leave(world.now(), &request, Token(1));
    assert_eq!(show(&effects), ["log: g generation 6 - leader - []"]);
    assert_eq!(show(&world.store(&effects.appends[0])), ["#1 leave NONE: a=NONE"]);
    assert_eq!(world.state(), "Empty []");
}

#[test]
fn several_members_leave_at_once_and_each_has_its_answer() {
    let mut world = stable(&["a", "b/i", "c/j", "d"]);
    let leaving = [
        ("a", None),
        ("", Some("i")),
        ("c", Some("j")),
        ("d", Some("i")),
        ("", Some("k")),
        ("stranger", None),
        ("", None),
    ];
    assert_eq!(
        world.leave(&leaving),
        ["#1 leave NONE: a=NONE /i=NONE c/j=NONE d/i=UNKNOWN_MEMBER_ID /k=UNKNOWN_MEMBER_ID \
          stranger=UNKNOWN_MEMBER_ID =UNKNOWN_MEMBER_ID"]
    );
    assert_eq!(world.state(), "PreparingRebalance [d]");
}

#[test]
fn a_member_whose_instance_id_was_taken_over_cannot_leave_for_its_successor() {
    let mut world = stable(&["a/i", "b"]);
    assert_eq!(world.leave(&[("b", Some("i"))]), ["#1 leave NONE: b/i=FENCED_INSTANCE_ID"]);
    assert_eq!(world.state(), "Stable [a b]");
}

#[test]
fn a_member_that_waits_to_join_is_answered_when_it_is_removed() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    assert_eq!(world.leave(&[("a", None)]), ["#1 join UNKNOWN_MEMBER_ID", "#2 leave NONE: a=NONE"]);
}

#[test]
fn when_the_missing_member_leaves_the_others_go_on() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    assert_eq!(
        world.leave(&[("b", None)]),
        ["#1 join a: generation 6 range leader a [a]", "#2 leave NONE: b=NONE"]
    );
}

#[test]
fn an_id_that_was_handed_out_can_be_given_back() {
    let mut world = stable(&["a"]);
    let _ = world.join(joining(""));
    let id = id(1);
    assert_eq!(world.leave(&[(&id, None)]), [format!("#2 leave NONE: {id}=NONE")]);
    assert_eq!(world.join(joining(&id)), [format!("#3 join UNKNOWN_MEMBER_ID {id}")]);
}

#[test]
fn of_a_group_that_does_not_exist_nobody_is_a_member() {
    let mut world = World::new();
    assert_eq!(
        world.leave(&[("a", None), ("b", None)]),
        ["#1 leave NONE: a=UNKNOWN_MEMBER_ID b=UNKNOWN_MEMBER_ID"]
    );
    let request = LeaveRequest { group_id: "", members: Vec::new() };
    let effects = world.shard.on_leave(world.now(), &request, Token(2));
    assert_eq!(show(&effects), ["#2 leave INVALID_GROUP_ID:"]);
}

#[test]
fn when_the_leader_leaves_another_member_is_the_leader() {
    let mut world = stable(&["a", "b"]);
    let _ = world.leave(&[("a", None)]);
    assert_eq!(world.join(joining("b")), ["#2 join b: generation 6 range leader b [b]"]);
}
