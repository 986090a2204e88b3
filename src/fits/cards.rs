//! Header cards beyond those that a plane implies.

/// The value of a header card.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string (long ones are continued over cards).
    Text(String),
    /// A floating-point number.
    Real(f64),
    /// An integer.
    Integer(i64),
    /// A truth value.
    Logical(bool),
    /// A `HISTORY` record; the keyword is not used.
    History(String),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Logical(value)
    }
}

/// One header card.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Keyword, at most eight of `A-Z 0-9 _ -`.
    pub keyword: String,
    /// Value.
    pub value: Value,
    /// Comment.
    pub comment: String,
}

/// Cards in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cards(pub Vec<Card>);

impl Cards {
    /// No cards.
    pub fn new() -> Self {
        Self::default()
    }

    /// Append a card.
    pub fn push(&mut self, keyword: &str, value: impl Into<Value>, comment: &str) -> &mut Self {
        self.0.push(Card { keyword: keyword.to_owned(), value: value.into(), comment: comment.to_owned() });
        self
    }

    /// Append a `HISTORY` record.
    pub fn history(&mut self, text: &str) -> &mut Self {
        self.push("HISTORY", Value::History(text.to_owned()), "")
    }

    /// The first value of a keyword.
    pub fn get(&self, keyword: &str) -> Option<&Value> {
        self.0.iter().find(|c| c.keyword == keyword).map(|c| &c.value)
    }

    /// The first value of a keyword as a number.
    pub fn number(&self, keyword: &str) -> Option<f64> {
        match self.get(keyword)? {
            Value::Real(v) => Some(*v),
            Value::Integer(v) => Some(*v as f64),
            _ => None,
        }
    }

    /// The first value of a keyword as text.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        match self.get(keyword)? {
            Value::Text(v) => Some(v),
            _ => None,
        }
    }
}
