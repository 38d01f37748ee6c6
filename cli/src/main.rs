mod args;
mod settings;
fn main() {
    let _ = <args::Cli as clap::Parser>::parse();
}
