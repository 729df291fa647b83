//! The command line of `cargo xtask oracle`.

const USAGE: &str = "usage: cargo xtask oracle [OPTION]...
  --exchanges N     how many requests are sent to both (50000)
  --seed S          what is drawn (1)
  --api NAME,...    only cases about these APIs
  --replay N        only the preparation and this case of the seed, every exchange printed
  --replay ..N      all cases up to this one, as what came before may matter
  --replay FILE     frames in hexadecimal digits, one a line, on one connection after the preparation
  --loud            print every exchange
  --broker COMMAND  another command for our side, run with the path of a server.properties as its last argument
  --port P          first of the loopback ports to use (22300)";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    Case(u64),
    UpTo(u64),
    File(String),
}

#[derive(Debug, Clone)]
pub struct Options {
    pub exchanges: u64,
    pub seed: u64,
    pub apis: Vec<String>,
    pub replay: Option<Replay>,
    pub loud: bool,
    pub port: u16,
    pub broker: Option<String>,
}

impl Options {
    pub fn parse(args: &[String]) -> Result<Self, String> {
        let mut options = Self {
            exchanges: 50_000,
            seed: 1,
            apis: Vec::new(),
            replay: None,
            loud: false,
            port: 22_300,
            broker: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--loud" {
                options.loud = true;
                continue;
            }
            let value = args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{arg} {value}: not a number\n{USAGE}"));
            match arg.as_str() {
                "--exchanges" => options.exchanges = number()?,
                "--seed" => options.seed = number()?,
                "--api" => options.apis.extend(value.split(',').map(str::to_owned)),
                "--replay" => options.replay = Some(replay(value)),
                "--broker" => options.broker = Some(value.clone()),
                "--port" => {
                    options.port = value.parse().map_err(|_| format!("--port {value}: no port\n{USAGE}"))?;
                }
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }

    pub fn wants(&self, api: &str) -> bool {
        self.apis.is_empty() || self.apis.iter().any(|one| one.eq_ignore_ascii_case(api))
    }
}

fn replay(value: &str) -> Replay {
    let rest = value.strip_prefix("..");
    match (value.parse(), rest.map(str::parse)) {
        (Ok(case), _) => Replay::Case(case),
        (_, Some(Ok(case))) => Replay::UpTo(case),
        _ => Replay::File(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_a_case_a_prefix_or_a_file() {
        assert_eq!(replay("17"), Replay::Case(17));
        assert_eq!(replay("..17"), Replay::UpTo(17));
        assert_eq!(replay("frames.txt"), Replay::File("frames.txt".to_owned()));
    }
}
