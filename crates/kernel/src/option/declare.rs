//! What a declaration of an option says, and the macro that makes a table of them.

use super::valid::Valid;

/// The types of Kafka's configuration language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    String,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    Password,
}

impl Kind {
    /// Kafka's name of the type, as its tools print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }

    /// The number by which DescribeConfigs answers name the type; 0 means unknown.
    pub const fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}

/// How much an option matters to somebody who sets a broker up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    High,
    Medium,
    Low,
}

impl Importance {
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

/// Whether, and how widely, an option can be changed while brokers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dynamic {
    /// Needs a restart.
    ReadOnly,
    /// Can be set for a single broker, never for all of them at once.
    PerBroker,
    /// Can be set for all brokers, and for a single one as an exception.
    ClusterWide,
}

impl Dynamic {
    /// Kafka's word for the mode.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::PerBroker => "per-broker",
            Self::ClusterWide => "cluster-wide",
        }
    }
}

/// What an option is when nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Somebody has to set it.
    Required,
    /// It has no value, which means something of its own.
    Null,
    /// This text, as somebody would write it in a file.
    Text(&'static str),
}

/// One option, declared once. Parsing, validation, DescribeConfigs and the documentation derive from this.
#[derive(Clone, Copy, Debug)]
pub struct OptionDef {
    pub name: &'static str,
    pub kind: Kind,
    /// Kafka's default. What Riverrun does differently is in [`super::deviation`].
    pub default: Default,
    pub valid: Valid,
    pub importance: Importance,
    pub dynamic: Dynamic,
    /// Not listed by DescribeConfigs unless somebody sets it.
    pub internal: bool,
    pub doc: &'static str,
}

impl OptionDef {
    /// Whether the value must never be shown or logged.
    pub const fn is_sensitive(&self) -> bool {
        matches!(self.kind, Kind::Password)
    }
}

/// Declares a table of options, one row each:
/// `"name": Kind = default, valid, Importance Dynamic [internal], "doc";`
/// where the default is a text, `null` or `required`.
macro_rules! options {
    (
        $(#[$meta:meta])* $vis:vis $table:ident;
        $($name:literal : $kind:ident = $default:tt, $valid:expr, $importance:ident $dynamic:ident $($internal:ident)?, $doc:literal;)*
    ) => {
        $(#[$meta])*
        $vis static $table: &[$crate::option::OptionDef] = &[
            $($crate::option::OptionDef {
                name: $name,
                kind: $crate::option::Kind::$kind,
                default: $crate::option::declare::default_of!($default),
                valid: $valid,
                importance: $crate::option::Importance::$importance,
                dynamic: $crate::option::Dynamic::$dynamic,
                internal: $crate::option::declare::is_internal!($($internal)?),
                doc: $doc,
            },)*
        ];
    };
}

macro_rules! default_of {
    (null) => {
        $crate::option::Default::Null
    };
    (required) => {
        $crate::option::Default::Required
    };
    ($text:literal) => {
        $crate::option::Default::Text($text)
    };
}

macro_rules! is_internal {
    () => {
        false
    };
    (internal) => {
        true
    };
}

pub(crate) use {default_of, is_internal, options};
