mod bench;
mod chain;
mod config;
mod demo;
mod dice;
#[cfg(test)]
mod fake;
mod hosted;
mod pair;
mod wire;

fn main() {}
