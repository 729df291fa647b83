//! With the engine: fuzzes the target that `RIVERRUN_FUZZ_TARGET` names, by the arguments of libFuzzer. Without: `list`,
//! `replay TARGET FILE...` and `keep TARGET DIR`.

#![cfg_attr(riverrun_fuzz_engine, no_main)]

#[cfg(riverrun_fuzz_engine)]
mod engine {
    use std::path::Path;
    use std::sync::OnceLock;
    use std::{env, process};

    use fuzz::{Target, corpus};

    static TARGET: OnceLock<&Target> = OnceLock::new();

    libfuzzer_sys::fuzz_target!(
        init: prepare(),
        |bytes: &[u8]| {
            if let Some(target) = TARGET.get() {
                target.execute(bytes);
            }
        }
    );

    /// Finds the target and lays out what it begins with.
    fn prepare() {
        let name = env::var("RIVERRUN_FUZZ_TARGET").unwrap_or_default();
        let Some(target) = Target::find(&name) else {
            eprintln!("RIVERRUN_FUZZ_TARGET={name:?} is no target");
            process::exit(2);
        };
        if let Ok(dir) = env::var("RIVERRUN_FUZZ_CORPUS")
            && let Err(error) = corpus::lay_out(target, Path::new(&dir))
        {
            eprintln!("cannot lay out the corpus in {dir}: {error}");
            process::exit(2);
        }
        TARGET.get_or_init(|| target);
    }
}

#[cfg(not(riverrun_fuzz_engine))]
fn main() -> std::process::ExitCode {
    match tool::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(riverrun_fuzz_engine))]
mod tool {
    use std::path::Path;
    use std::{env, fs};

    use fuzz::{TARGETS, Target, corpus};

    const USAGE: &str = "usage: fuzz list | fuzz replay TARGET FILE... | fuzz keep TARGET DIR";

    pub fn run() -> Result<(), String> {
        let args: Vec<String> = env::args().skip(1).collect();
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["list"] => {
                for Target { name, len_max, micros, what, .. } in TARGETS {
                    println!("{name}\t{len_max}\t{micros}\t{what}");
                }
                Ok(())
            }
            ["replay", target, files @ ..] if !files.is_empty() => {
                let target = find(target)?;
                for file in files {
                    let input = fs::read(file).map_err(|error| format!("cannot read {file}: {error}"))?;
                    println!("{} {file}: {} bytes", target.name, input.len());
                    target.execute(&input);
                }
                Ok(())
            }
            ["keep", target, dir] => {
                let kept = corpus::keep(find(target)?, Path::new(dir));
                let (inputs, bytes) = kept.map_err(|error| format!("cannot keep {dir}: {error}"))?;
                println!("{target}: {inputs} inputs in {bytes} bytes");
                Ok(())
            }
            _ => Err(USAGE.to_owned()),
        }
    }

    fn find(name: &str) -> Result<&'static Target, String> {
        let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
        Target::find(name).ok_or_else(|| format!("there is no target {name}; there are {}", names()))
    }
}
