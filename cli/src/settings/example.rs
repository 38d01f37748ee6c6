//! The example file is the settings' own documentation, rendered.

use clap::{Arg, Args, Command};

use super::problem::{flag, variable};
use super::{Layer, Settings, SettingsArgs};

const EXAMPLE: &str = include_str!("../../../aisle.example.toml");

const HEAD: &str = "\
# Settings of aisle, each with its default. Copy this file to aisle.toml in
# the working folder (or name it with --config or AISLE_CONFIG), and take the
# mark off the lines that you change. Every setting is also a variable, such
# as AISLE_LISTEN, and a flag, such as --listen; flags win over variables, and
# variables over this file. An empty text means \"not set\".
";

fn settings() -> Vec<Arg> {
    Layer::augment_args(Command::new("aisle")).get_arguments().cloned().collect()
}

fn rendered() -> String {
    let settings = settings().into_iter().map(|arg| {
        let help = arg.get_long_help().or(arg.get_help()).unwrap().to_string();
        let default = arg.get_default_values().first().map_or("", |text| text.to_str().unwrap());
        let plain = default.parse::<u64>().is_ok() || default.parse::<bool>().is_ok();
        let value = if plain { default.to_owned() } else { format!("\"{default}\"") };
        format!("\n{}# {} = {value}\n", commented(&(help + ".")), arg.get_id())
    });
    HEAD.to_owned() + &settings.collect::<String>()
}

/// The text as comment lines of at most 78 characters.
fn commented(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in text.split_whitespace() {
        if lines.last().unwrap().len() + 1 + word.len() > 78 {
            lines.push("#".to_owned());
        }
        let line = lines.last_mut().unwrap();
        line.push(' ');
        line.push_str(word);
    }
    lines.join("\n") + "\n"
}

fn uncommented() -> String {
    let is_setting = |line: &&str| {
        settings().iter().any(|arg| line.starts_with(&format!("# {} = ", arg.get_id())))
    };
    EXAMPLE.lines().filter(is_setting).map(|line| line[2..].to_owned() + "\n").collect()
}

#[test]
fn the_example_file_says_what_the_settings_say() {
    let rendered = rendered();
    if rendered != EXAMPLE {
        let path = std::env::temp_dir().join("aisle.example.toml");
        std::fs::write(&path, &rendered).unwrap();
        panic!("aisle.example.toml is not what the settings say; that is in {}", path.display());
    }
}

#[test]
fn every_line_of_the_example_file_works_and_is_the_default() {
    let layer: Layer = toml::from_str(&uncommented()).unwrap();
    assert_eq!(uncommented().lines().count(), settings().len());
    let from_example = Layer::defaults().merge(layer);
    let from_nothing = Layer::defaults();
    let resolve =
        |layer| Settings::resolve(SettingsArgs { layer, ..SettingsArgs::default() }).unwrap();
    assert_eq!(resolve(from_example), resolve(from_nothing));
}

#[test]
fn every_setting_is_a_flag_and_a_variable_of_its_own_name() {
    for arg in settings() {
        let key = arg.get_id().as_str();
        assert_eq!(format!("--{}", arg.get_long().unwrap()), flag(key));
        assert_eq!(arg.get_env().unwrap().to_str().unwrap(), variable(key));
    }
}
