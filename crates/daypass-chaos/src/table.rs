//! Tables of counts for people, with colours if they are wanted.

use std::fmt::Write as _;

/// What is wrong.
pub const RED: &str = "\x1b[31m";
/// What is right.
pub const GREEN: &str = "\x1b[32m";
/// What explains.
pub const DIM: &str = "\x1b[2m";

const PLAIN: &str = "\x1b[0m";

/// A table that is being written.
#[derive(Debug)]
pub struct Table {
    text: String,
    colours: bool,
}

impl Table {
    /// An empty one.
    pub const fn new(colours: bool) -> Self {
        Self { text: String::new(), colours }
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.text
    }

    /// A line of its own.
    pub fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A count, which may be wrong or just right.
    pub fn row(&mut self, name: &str, count: u64, wrong: Option<bool>, remark: &str) {
        let colour = match wrong {
            Some(true) => RED,
            Some(false) => GREEN,
            None => "",
        };
        let count = self.coloured(&format!("{:>12}", grouped(count)), colour);
        let remark =
            if remark.is_empty() { String::new() } else { format!("  {}", self.coloured(remark, DIM)) };
        self.line(&format!("{name:<40}{count}{remark}"));
    }

    /// A text in a colour, or as it is.
    pub fn coloured(&self, text: &str, colour: &str) -> String {
        if self.colours && !colour.is_empty() { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }

    /// Whether a run passed, in colour.
    pub fn verdict(&self, passed: bool) -> String {
        if passed { self.coloured("passed", GREEN) } else { self.coloured("failed", RED) }
    }
}

/// With a comma between thousands.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            // A string takes whatever is written to it.
            let _always = write!(text, ",");
        }
        text.push(digit);
    }
    text
}
