//! Tests of the `db` room.

use super::*;
use crate::kind::{ErrorKind, Kind};

fn products() -> (tempfile::TempDir, Database) {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(&dir.path().join("products.sqlite3"), Schema::Products).unwrap();
    (dir, db)
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn every_schema_migrates_from_nothing_and_reopens() {
    let dir = tempfile::tempdir().unwrap();
    for schema in Schema::ALL {
        schema.migrations().validate().unwrap();
        let path = dir.path().join(schema.name());
        let tables = Database::open(&path, schema).unwrap().tables().len();
        assert!(tables > 0);
        let again = Database::open(&path, schema).unwrap();
        assert_eq!(again.tables().len(), tables);
        assert!(again.integrity_errors().unwrap().is_empty());
    }
}

#[test]
fn another_schema_a_newer_version_and_a_foreign_file_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sqlite3");
    Database::open(&path, Schema::Queue).unwrap();
    let error = Database::open(&path, Schema::Products).unwrap_err();
    assert!(error.to_string().contains("found a queue database"), "{error}");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Database::open(&path, Schema::Queue).unwrap_err();
    assert!(error.to_string().contains("version 99"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Data);
    let text = dir.path().join("text");
    std::fs::write(&text, "not a database, but long enough to have a header ".repeat(20)).unwrap();
    assert_eq!(Database::open(&text, Schema::Queue).unwrap_err().kind(), ErrorKind::Data);
}

#[test]
fn upsert_updates_and_hostile_names_are_refused() {
    let (_dir, mut db) = products();
    let columns = names(&["path", "stage", "mid_mjd"]);
    let row = |stage: &str| {
        vec![vec![Value::Text("a.ms".into()), Value::Text(stage.into()), Value::Real(61_000.5)]]
    };
    db.insert("ms_index", &columns, &names(&["path"]), &row("converted")).unwrap();
    db.insert("ms_index", &columns, &names(&["path"]), &row("imaged")).unwrap();
    let rows =
        db.select("ms_index", &Selection { columns: names(&["stage"]), ..Default::default() }).unwrap();
    assert_eq!(rows, vec![vec![("stage".to_owned(), Value::Text("imaged".into()))]]);
    for hostile in ["ms_index; DROP TABLE ms_index", "\"", "ms_index--", "sqlite_schema"] {
        assert_eq!(db.select(hostile, &Selection::default()).unwrap_err().kind(), ErrorKind::Argument);
        let selection = Selection { order_by: vec![(hostile.to_owned(), false)], ..Default::default() };
        assert_eq!(db.select("ms_index", &selection).unwrap_err().kind(), ErrorKind::Argument);
    }
    let error = db.select("ms_indexx", &Selection::default()).unwrap_err();
    assert!(error.to_string().contains("did you mean \"ms_index\""), "{error}");
}

#[test]
fn a_broken_row_leaves_nothing_of_its_batch() {
    let (_dir, mut db) = products();
    let columns = names(&["path", "created_at", "type"]);
    let good = vec![Value::Text("a.fits".into()), Value::Real(1.0), Value::Text("5min".into())];
    let broken = vec![Value::Text("b.fits".into()), Value::Null, Value::Text("5min".into())];
    assert!(db.insert("images", &columns, &[], &[good, broken]).is_err());
    assert!(db.select("images", &Selection::default()).unwrap().is_empty());
}

#[test]
fn whole_table_updates_are_refused() {
    let (_dir, mut db) = products();
    assert_eq!(db.delete("images", &[]).unwrap_err().kind(), ErrorKind::Argument);
    let values = vec![("type".to_owned(), Value::Text("x".into()))];
    assert_eq!(db.update("images", &values, &[]).unwrap_err().kind(), ErrorKind::Argument);
}

#[test]
fn read_only_queries_cannot_write() {
    let (dir, db) = products();
    let path = dir.path().join("products.sqlite3");
    for sql in ["DELETE FROM images", "ATTACH 'x' AS y", "PRAGMA user_version = 7", "DROP TABLE images"] {
        assert!(query(&path, sql, Vec::new()).is_err(), "{sql}");
    }
    let rows = query(&path, "SELECT ?1 + 1 AS n", vec![Value::Integer(1)]).unwrap();
    assert_eq!(rows[0][0], ("n".to_owned(), Value::Integer(2)));
    assert_eq!(query(&dir.path().join("none"), "SELECT 1", Vec::new()).unwrap_err().kind(), ErrorKind::Io);
    drop(db);
}

fn queue() -> (tempfile::TempDir, Database) {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(&dir.path().join("ingest.sqlite3"), Schema::Queue).unwrap();
    (dir, db)
}

fn arrival(group: &str, subband: u32) -> Arrival {
    Arrival { group_id: group.into(), subband, path: format!("/in/{group}_sb{subband:02}.hdf5") }
}

#[test]
fn a_group_is_claimed_once_and_a_late_file_does_not_demote_it() {
    let (_dir, mut db) = queue();
    let mut files: Vec<Arrival> = (0..3).map(|s| arrival("g1", s)).collect();
    assert!(db.record_arrivals(&files[..2], 3, 1.0).unwrap().is_empty());
    assert_eq!(db.record_arrivals(&files, 3, 2.0).unwrap(), vec!["g1"]);
    let claimed = db.claim_group(3.0).unwrap().unwrap();
    assert_eq!((claimed.group_id.as_str(), claimed.paths.len()), ("g1", 3));
    assert_eq!(db.claim_group(3.0).unwrap(), None);
    files.reverse();
    assert!(db.record_arrivals(&files, 3, 4.0).unwrap().is_empty());
    assert_eq!(db.claim_group(5.0).unwrap(), None);
    assert_eq!(db.recover_groups(5000.0, 3600.0, 86_400.0).unwrap(), (1, 0));
    assert_eq!(db.claim_group(5001.0).unwrap().unwrap().retry_count, 1);
}

#[test]
fn two_files_for_one_subband_are_refused_whole() {
    let (_dir, mut db) = queue();
    let mut other = arrival("g1", 0);
    other.path.push_str(".copy");
    assert!(db.record_arrivals(&[arrival("g1", 0), other], 2, 1.0).is_err());
    assert!(db.select("ingest_queue", &Selection::default()).unwrap().is_empty());
}

#[test]
fn concurrent_workers_never_share_a_group() {
    let (dir, mut db) = queue();
    let groups = 40;
    for g in 0..groups {
        db.record_arrivals(&[arrival(&format!("g{g:02}"), 0)], 1, 1.0).unwrap();
    }
    let path = dir.path().join("ingest.sqlite3");
    let mut claimed: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut db = Database::open(&path, Schema::Queue).unwrap();
                    let mut mine = Vec::new();
                    while let Some(group) = db.claim_group(2.0).unwrap() {
                        mine.push(group.group_id);
                    }
                    mine
                })
            })
            .collect();
        workers.into_iter().flat_map(|w| w.join().unwrap()).collect()
    });
    claimed.sort();
    let count = claimed.len();
    claimed.dedup();
    assert_eq!((count, claimed.len()), (groups, groups));
}

#[test]
fn the_newest_valid_set_wins_in_apply_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut db = Database::open(&dir.path().join("r.sqlite3"), Schema::Registry).unwrap();
    let columns = names(&[
        "set_name",
        "path",
        "table_type",
        "order_index",
        "refant",
        "created_at",
        "valid_start_mjd",
        "valid_end_mjd",
    ]);
    let row = |set: &str, kind: TableType, refant: &str, created: f64, start: f64, end: Value| {
        vec![
            Value::Text(set.into()),
            Value::Text(format!("/cal/{set}_{}", kind.name())),
            Value::Text(kind.name().into()),
            Value::Integer(kind.order_index()),
            Value::Text(refant.into()),
            Value::Real(created),
            Value::Real(start),
            end,
        ]
    };
    let rows = [
        row("old", TableType::Bp, "103", 1.0, 0.0, Value::Null),
        row("new", TableType::Gp, "104", 2.0, 10.0, Value::Real(20.0)),
        row("new", TableType::Bp, "104", 3.0, 10.0, Value::Real(20.0)),
    ];
    db.insert("caltables", &columns, &[], &rows).unwrap();
    let (tables, warnings) = db.active_tables(15.0, None).unwrap();
    let paths: Vec<&str> = tables.iter().map(|t| t.path.as_str()).collect();
    assert_eq!(paths, ["/cal/new_BP", "/cal/new_GP"]);
    assert_eq!(warnings.len(), 1);
    assert_eq!(db.active_tables(25.0, None).unwrap().0[0].set_name, "old");
    assert_eq!(db.active_tables(15.0, Some("old")).unwrap().0.len(), 1);
    assert!(db.active_tables(-1.0, None).unwrap().0.is_empty());
}

#[test]
fn table_type_comes_from_the_ending() {
    assert_eq!(TableType::from_path("/c/2026-01-25T22:26:05_bpcal/"), Some(TableType::Bp));
    assert_eq!(TableType::from_path("x_2gcal"), Some(TableType::TwoG));
    assert_eq!(TableType::from_path("x.ms"), None);
}

#[test]
fn a_backup_holds_what_was_committed() {
    let (dir, mut db) = products();
    db.insert("ms_index", &names(&["path"]), &[], &[vec![Value::Text("a.ms".into())]]).unwrap();
    let target = dir.path().join("copy.sqlite3");
    db.backup(&target).unwrap();
    let copy = Database::open(&target, Schema::Products).unwrap();
    assert_eq!(copy.select("ms_index", &Selection::default()).unwrap().len(), 1);
    assert_eq!(db.backup(&target).unwrap_err().kind(), ErrorKind::Io);
}
