//! The schemas and their numbered migrations.

use rusqlite_migration::{Migrations, M};

/// Which database a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// `ingest.sqlite3`: groups, subband files, stage runs.
    Queue,
    /// `cal_registry.sqlite3`: calibration tables and their validity.
    Registry,
    /// `products.sqlite3`: products, measurements, variability, candidates.
    Products,
    /// `catalogs/*.sqlite3`: calibrators and sources.
    Catalog,
}

impl Schema {
    /// Every schema.
    pub const ALL: [Schema; 4] = [Schema::Queue, Schema::Registry, Schema::Products, Schema::Catalog];

    /// Name as callers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Registry => "registry",
            Self::Products => "products",
            Self::Catalog => "catalog",
        }
    }

    /// The schema of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Marks the file as ours (`PRAGMA application_id`): "DSA" and a letter.
    pub(super) fn application_id(self) -> i32 {
        let letter = match self {
            Self::Queue => b'q',
            Self::Registry => b'r',
            Self::Products => b'p',
            Self::Catalog => b'c',
        };
        i32::from_be_bytes([b'D', b'S', b'A', letter])
    }

    fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Queue => &[include_str!("schema/queue_1.sql")],
            Self::Registry => &[include_str!("schema/registry_1.sql"), include_str!("schema/registry_2.sql")],
            Self::Products => &[
                include_str!("schema/products_1.sql"),
                include_str!("schema/products_2.sql"),
                include_str!("schema/products_3.sql"),
                include_str!("schema/products_4.sql"),
                include_str!("schema/products_5.sql"),
            ],
            Self::Catalog => &[
                include_str!("schema/catalog_1.sql"),
                include_str!("schema/catalog_2.sql"),
                include_str!("schema/catalog_3.sql"),
            ],
        }
    }

    /// An expression that the unique index of `table` begins with: an upsert must name it before its own columns.
    pub(super) fn conflict_prefix(self, table: &str) -> Option<&'static str> {
        (self == Self::Products && table == "photometry_timeseries").then_some("CAST(mjd / 4 AS INTEGER)")
    }

    /// Newest version.
    pub fn version(self) -> usize {
        self.steps().len()
    }

    pub(super) fn migrations(self) -> Migrations<'static> {
        Migrations::new(self.steps().iter().map(|sql| M::up(sql)).collect())
    }
}
