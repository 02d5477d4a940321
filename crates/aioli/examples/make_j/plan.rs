//! What is to be done: the file, read and checked.

use std::collections::HashMap;

pub struct Plan {
    pub targets: Vec<Target>,
}

pub struct Target {
    pub name: String,
    /// The indices of the targets that have to be made before.
    pub needs: Vec<usize>,
    /// For the shell, one after the other.
    pub commands: Vec<String>,
}

/// A target as it stands in the file.
struct Rule<'a> {
    name: &'a str,
    needs: Vec<&'a str>,
    commands: Vec<&'a str>,
}

impl Plan {
    /// Reads a file, and keeps the `wanted` targets with what they need; all, if none is named.
    pub fn read(text: &str, wanted: &[String]) -> Result<Self, String> {
        let rules = rules(text)?;
        let mut named = HashMap::new();
        for (index, rule) in rules.iter().enumerate() {
            // Commands without a target may stand there twice.
            if !rule.is_bare() && named.insert(rule.name, index).is_some() {
                return Err(format!("there are two targets {:?}", rule.name));
            }
        }
        let mut search = Search {
            rules: &rules,
            named,
            places: vec![Place::Unknown; rules.len()],
            targets: Vec::new(),
        };
        if wanted.is_empty() {
            for index in 0..rules.len() {
                search.add(index)?;
            }
        }
        for name in wanted {
            search.add(search.index_of(name, "the command line")?)?;
        }
        Ok(Self {
            targets: search.targets,
        })
    }
}

impl Rule<'_> {
    /// A command without a target, whose name it is.
    fn is_bare(&self) -> bool {
        self.commands == [self.name]
    }
}

fn rules(text: &str) -> Result<Vec<Rule<'_>>, String> {
    let mut rules: Vec<Rule> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            match rules.last_mut() {
                Some(rule) if !rule.is_bare() => rule.commands.push(content),
                _ => return Err(format!("line {}: an indented command belongs to a target", number + 1)),
            }
            continue;
        }
        rules.push(match target(content) {
            Some((name, needs)) => Rule {
                name,
                needs: needs.split_whitespace().collect(),
                commands: Vec::new(),
            },
            None => Rule {
                name: content,
                needs: Vec::new(),
                commands: vec![content],
            },
        });
    }
    Ok(rules)
}

/// `name:` or `name: need need`.
fn target(line: &str) -> Option<(&str, &str)> {
    let (name, needs) = line.split_once(':')?;
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    (is_name && (needs.is_empty() || needs.starts_with([' ', '\t']))).then_some((name, needs))
}

#[derive(Clone, Copy)]
enum Place {
    Unknown,
    /// What it needs is being looked for.
    Open,
    /// It is in the plan, there.
    Known(usize),
}

struct Search<'a> {
    rules: &'a [Rule<'a>],
    named: HashMap<&'a str, usize>,
    places: Vec<Place>,
    targets: Vec<Target>,
}

impl Search<'_> {
    fn index_of(&self, name: &str, who: &str) -> Result<usize, String> {
        let index = self.named.get(name).copied();
        index.ok_or_else(|| format!("there is no target {name:?}, which {who} needs"))
    }

    /// Puts a target into the plan, behind what it needs, and gives its place.
    fn add(&mut self, index: usize) -> Result<usize, String> {
        let rules = self.rules;
        let rule = &rules[index];
        match self.places[index] {
            Place::Known(place) => return Ok(place),
            Place::Open => return Err(format!("{:?} needs itself, through what it needs", rule.name)),
            Place::Unknown => self.places[index] = Place::Open,
        }
        let mut needs = Vec::new();
        for name in &rule.needs {
            needs.push(self.add(self.index_of(name, rule.name)?)?);
        }
        let place = self.targets.len();
        self.places[index] = Place::Known(place);
        self.targets.push(Target {
            name: rule.name.to_owned(),
            needs,
            commands: rule.commands.iter().map(|&command| command.to_owned()).collect(),
        });
        Ok(place)
    }
}
