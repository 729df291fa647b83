//! A flame graph as a picture that any browser shows: a box for each function, as wide as its share of the samples, on
//! top of its caller. The title of a box says its name and share.

use std::collections::BTreeMap;
use std::fmt::Write;

const WIDTH: f64 = 1600.0;
const ROW: f64 = 17.0;
const LETTER: f64 = 6.6;

/// Boxes narrower than this are left out, with all that is on them.
const WIDTH_MIN: f64 = 0.5;

#[derive(Debug, Default)]
struct Node {
    samples: u64,
    callees: BTreeMap<String, Node>,
}

/// Draws stacks, each with the outermost function first and `;` between, with how often each was seen.
pub fn svg(title: &str, stacks: &BTreeMap<String, u64>) -> String {
    let mut root = Node::default();
    for (stack, count) in stacks {
        root.samples += count;
        let mut node = &mut root;
        for name in stack.split(';') {
            node = node.callees.entry(name.to_owned()).or_default();
            node.samples += count;
        }
    }
    let height = (depth(&root, WIDTH / root.samples.max(1) as f64) + 2) as f64 * ROW;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"monospace\" \
         font-size=\"11\">\n<text x=\"4\" y=\"13\">{}: {} samples</text>\n",
        escaped(title),
        root.samples
    );
    draw(&mut text, &root, root.samples, 0.0, height - ROW);
    text + "</svg>\n"
}

fn depth(node: &Node, per_sample: f64) -> usize {
    let drawn = node.callees.values().filter(|callee| callee.samples as f64 * per_sample >= WIDTH_MIN);
    drawn.map(|callee| 1 + depth(callee, per_sample)).max().unwrap_or(0)
}

fn draw(text: &mut String, node: &Node, all: u64, mut x: f64, y: f64) {
    for (name, callee) in &node.callees {
        let width = callee.samples as f64 * WIDTH / all.max(1) as f64;
        if width >= WIDTH_MIN {
            let percent = callee.samples as f64 * 100.0 / all as f64;
            let letters = (width / LETTER) as usize;
            let label: String =
                if letters < 3 { String::new() } else { name.chars().take(letters).collect() };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "<g><title>{} {percent:.1} %</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                 height=\"{:.1}\" fill=\"hsl({},70%,70%)\" stroke=\"white\" stroke-width=\"0.5\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
                escaped(name),
                ROW - 1.0,
                hue(name),
                x + 2.0,
                y + 12.0,
                escaped(&label)
            );
            draw(text, callee, all, x, y - ROW);
        }
        x += width;
    }
}

/// Warm colours, the same for the same crate or module.
fn hue(name: &str) -> u32 {
    let module = name.split("::").next().unwrap_or(name);
    module.bytes().fold(7_u32, |hue, byte| hue.wrapping_mul(31).wrapping_add(byte.into())) % 60
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_as_wide_as_its_share() {
        let stacks = BTreeMap::from([("main;read<u8>".to_owned(), 3), ("main;write".to_owned(), 1)]);
        let svg = svg("a & b", &stacks);
        assert!(svg.contains("a &amp; b: 4 samples"));
        assert!(svg.contains("<title>read&lt;u8&gt; 75.0 %</title><rect x=\"0.0\""));
        assert!(svg.contains("<title>write 25.0 %</title><rect x=\"1200.0\""));
        assert_eq!(svg.matches("<rect").count(), 3);
    }
}
