//! What may stand in a text, told from its words and signs before anything is made of it. Pure.
//!
//! The language of minijinja is larger than what a message needs. What is left out is what could
//! grow beyond any bound (texts put together again and again) and what nests deeper than a stack is:
//! neither the fuel nor the cap of the output would stop these.

use minijinja::machinery::{Span, Token, WhitespaceConfig, tokenize};
use minijinja::syntax::SyntaxConfig;

/// The most words and signs within one pair of braces.
const MOST_IN_BRACES: usize = 200;
/// The most `elif`, for they nest.
const MOST_ELIF: usize = 50;
/// The most multiplications within one pair of braces: a text times a number repeats it.
const MOST_TIMES: usize = 2;

const TAGS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];
const WORDS: [&str; 9] = ["and", "or", "not", "in", "is", "if", "else", "for", "elif"];

/// Where something may not stand, and the sentence that says so.
pub(super) type Found = (usize, String);

/// What came before, as far as it tells what a name or a bracket means.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Before {
    #[default]
    Nothing,
    Name,
    Dot,
    Bar,
    Is,
    /// The name of a filter or of a test: brackets hold what it is given.
    Filter,
}

/// The first thing that may not stand in `source`; `None` also where it cannot be read at all.
pub(super) fn refuse(source: &str, filters: &[&str]) -> Option<Found> {
    let mut walk = Walk::default();
    let tokens = tokenize(source, false, SyntaxConfig, WhitespaceConfig::default());
    for token in tokens {
        let Ok((token, Span { start_offset, .. })) = token else {
            return None;
        };
        if let Err(sentence) = walk.step(&token, filters) {
            return Some((start_offset as usize, sentence));
        }
    }
    None
}

#[derive(Default)]
struct Walk {
    before: Before,
    in_block: bool,
    tag: Option<&'static str>,
    elifs: usize,
    /// Of this pair of braces: words and signs, multiplications, texts outside of filters' brackets.
    count: usize,
    times: usize,
    texts: usize,
    /// The round brackets that are open; true where they hold what a filter is given.
    open: Vec<bool>,
}

impl Walk {
    fn step(&mut self, token: &Token<'_>, filters: &[&str]) -> Result<(), String> {
        let before = std::mem::take(&mut self.before);
        let given = self.open.last() == Some(&true);
        self.count += 1;
        match token {
            Token::TemplateData(_) => self.count = 0,
            Token::VariableStart | Token::BlockStart => {
                *self = Self {
                    in_block: matches!(token, Token::BlockStart),
                    elifs: self.elifs,
                    ..Self::default()
                };
            }
            Token::Ident(name) => self.name(name, before, filters)?,
            Token::Str(_) | Token::String(_) => self.texts += usize::from(!given),
            Token::Dot => self.before = Before::Dot,
            Token::Pipe => self.before = Before::Bar,
            Token::Mul => {
                self.times += 1;
                if given || self.times > MOST_TIMES {
                    return Err("Too much is multiplied here.".into());
                }
            }
            Token::Tilde | Token::Plus | Token::BraceOpen if self.tag == Some("for") => {
                return Err("“for” repeats over one list, such as items.".into());
            }
            Token::ParenOpen if before == Before::Name => {
                return Err(
                    "There are no functions here, only values and filters such as “| date”.".into(),
                );
            }
            Token::ParenOpen => self.open.push(before == Before::Filter),
            Token::ParenClose => drop(self.open.pop()),
            _ => {}
        }
        if self.count > MOST_IN_BRACES {
            return Err("Too much stands within one pair of braces. Take it apart.".into());
        }
        // It would be worked out before anything could stop it.
        if self.times > 0 && (self.texts > 0 || self.tag == Some("for")) {
            return Err("Only numbers can be multiplied.".into());
        }
        Ok(())
    }

    fn name(&mut self, name: &str, before: Before, filters: &[&str]) -> Result<(), String> {
        if self.in_block && self.tag.is_none() {
            let Some(tag) = TAGS.iter().find(|tag| **tag == name) else {
                return Err(format!(
                    "“{name}” cannot be used here: a text names values, repeats over lists and asks “if”."
                ));
            };
            self.tag = Some(tag);
            self.elifs += usize::from(*tag == "elif");
            return match self.elifs > MOST_ELIF {
                true => Err("There are too many “elif” in this text.".into()),
                false => Ok(()),
            };
        }
        self.before = match before {
            Before::Bar if filters.contains(&name) => Before::Filter,
            Before::Bar => return Err(unknown_filter(name, filters)),
            Before::Is if name == "not" => Before::Is,
            Before::Is => Before::Filter,
            Before::Dot => Before::Name,
            _ if name == "is" => Before::Is,
            _ if WORDS.contains(&name) => Before::Nothing,
            _ => Before::Name,
        };
        Ok(())
    }
}

fn unknown_filter(name: &str, filters: &[&str]) -> String {
    let all: Vec<&str> = filters.iter().filter(|f| f.len() > 1).copied().collect();
    format!(
        "There is no filter “{name}”. There are: {}.",
        all.join(", ")
    )
}
