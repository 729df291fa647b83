//! The five minutes of the README, command by command as it stands there.

mod support;

use support::Broker;

/// The commands of the README's tour that are ours, in their order.
fn tour() -> Vec<String> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));
    let readme = readme.expect("the project has a README");
    let (_, rest) = readme.split_once("## Five minutes").expect("it has a tour");
    let (section, _) = rest.split_once("\n## ").expect("the tour ends");
    let mut inside = false;
    let mut commands = Vec::new();
    for line in section.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside && line.contains("riverrun ") && !line.starts_with("riverrun start") {
            commands.push(line.to_owned());
        }
    }
    commands
}

#[test]
fn the_readmes_tour_works_as_written() {
    let mut broker = Broker::start("tour");
    let commands = tour();
    assert!(commands.len() >= 7, "the tour has become short: {commands:?}");
    let mut printed = Vec::new();
    for command in &commands {
        let ended = broker.shell(command);
        printed.push((command.as_str(), ended.ok().to_owned()));
    }
    let of = |start: &str| {
        let found = printed.iter().find(|(command, _)| command.contains(start));
        found.map(|(_, text)| text.as_str()).unwrap_or_else(|| panic!("the tour has no `{start}`"))
    };
    assert!(of("topic list").lines().any(|line| line.split_whitespace().eq(["orders", "3", "1"])));
    assert_eq!(
        of("topic describe").lines().filter(|line| line.trim_start().starts_with(['0', '1', '2'])).count(),
        3
    );
    for consume in ["consume orders --from start --until-end", "--group kitchen --until-end"] {
        let mut lines: Vec<&str> = of(consume).lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["a cup", "one kettle", "two teapots"], "{consume}");
        let at = |value: &str| of(consume).find(value);
        assert!(at("two teapots") < at("a cup"), "what one customer ordered keeps its order");
    }
    assert!(of("group list").contains("kitchen"));
    let lag = of("group describe").lines().find(|line| line.starts_with("lag"));
    assert_eq!(lag.map(|line| line.split_whitespace().collect::<Vec<_>>()), Some(vec!["lag", "0"]));

    broker.kill();
    broker.restart();
    let again = broker.run(&["consume", "orders", "--from", "start", "--until-end"]);
    assert_eq!(again.ok().lines().count(), 3, "everything is there");
    let nothing_new =
        broker.run(&["consume", "orders", "--from", "start", "--group", "kitchen", "--until-end"]);
    assert_eq!(nothing_new.ok(), "", "the group remembers how far it got");
}
