//! The ingest queue: files arrive, groups become ready, one worker claims one group.

use rusqlite::{params, OptionalExtension};

use super::{Database, Error};

/// One subband file that arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// Group it belongs to.
    pub group_id: String,
    /// Subband index.
    pub subband: u32,
    /// Path of the file.
    pub path: String,
}

/// A group taken by a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedGroup {
    /// Group.
    pub group_id: String,
    /// Its files, subband ascending.
    pub paths: Vec<String>,
    /// Times it was tried before.
    pub retry_count: u32,
}

impl Database {
    /// Record arrivals in one transaction: new groups begin as `collecting`, become `pending` when all expected
    /// subbands are there, and a group that is further on is never set back. Returns the groups that became pending.
    ///
    /// # Errors
    /// A failing database; two paths for one subband of a group (nothing is then recorded).
    pub fn record_arrivals(
        &mut self,
        arrivals: &[Arrival],
        expected_subbands: u32,
        now_unix_s: f64,
    ) -> Result<Vec<String>, Error> {
        let path = self.path.clone();
        let wrap = Error::sqlite(&path);
        let transaction = self.begin()?;
        let mut ready = Vec::new();
        for arrival in arrivals {
            transaction
                .execute(
                    "INSERT INTO ingest_queue (group_id, state, received_at, last_update, expected_subbands)
                     VALUES (?1, 'collecting', ?2, ?2, ?3) ON CONFLICT (group_id) DO NOTHING",
                    params![arrival.group_id, now_unix_s, expected_subbands],
                )
                .map_err(&wrap)?;
            transaction
                .execute(
                    "INSERT INTO subband_files (group_id, subband_idx, path) VALUES (?1, ?2, ?3)
                     ON CONFLICT (path) DO NOTHING",
                    params![arrival.group_id, arrival.subband, arrival.path],
                )
                .map_err(&wrap)?;
            let became = transaction
                .execute(
                    "UPDATE ingest_queue SET state = 'pending', last_update = ?2, processing_stage = 'pending'
                     WHERE group_id = ?1 AND state = 'collecting' AND expected_subbands <=
                         (SELECT count(*) FROM subband_files WHERE group_id = ?1)",
                    params![arrival.group_id, now_unix_s],
                )
                .map_err(&wrap)?;
            if became > 0 {
                ready.push(arrival.group_id.clone());
            }
        }
        transaction.commit().map_err(&wrap)?;
        Ok(ready)
    }

    /// Claim the earliest pending group, if any: it becomes `in_progress` in the same transaction.
    ///
    /// # Errors
    /// A failing database.
    pub fn claim_group(&mut self, now_unix_s: f64) -> Result<Option<ClaimedGroup>, Error> {
        let path = self.path.clone();
        let wrap = Error::sqlite(&path);
        let transaction = self.begin()?;
        let found: Option<(String, u32)> = transaction
            .query_row(
                "SELECT group_id, retry_count FROM ingest_queue WHERE state = 'pending' ORDER BY group_id LIMIT 1",
                [],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional()
            .map_err(&wrap)?;
        let Some((group_id, retry_count)) = found else {
            return Ok(None);
        };
        transaction
            .execute(
                "UPDATE ingest_queue SET state = 'in_progress', last_update = ?2 WHERE group_id = ?1",
                params![group_id, now_unix_s],
            )
            .map_err(&wrap)?;
        let paths = {
            let mut statement = transaction
                .prepare("SELECT path FROM subband_files WHERE group_id = ?1 ORDER BY subband_idx")
                .map_err(&wrap)?;
            let rows = statement.query_map([&group_id], |r| r.get(0)).map_err(&wrap)?;
            rows.collect::<Result<Vec<String>, _>>().map_err(&wrap)?
        };
        transaction.commit().map_err(&wrap)?;
        Ok(Some(ClaimedGroup { group_id, paths, retry_count }))
    }

    /// Housekeeping: groups `in_progress` for longer than `stuck_s` go back to `pending` with one retry more; groups
    /// `collecting` for longer than `abandoned_s` become `failed`. Returns the two counts.
    ///
    /// # Errors
    /// A failing database.
    pub fn recover_groups(
        &mut self,
        now_unix_s: f64,
        stuck_s: f64,
        abandoned_s: f64,
    ) -> Result<(usize, usize), Error> {
        let path = self.path.clone();
        let wrap = Error::sqlite(&path);
        let transaction = self.begin()?;
        let stuck = transaction
            .execute(
                "UPDATE ingest_queue SET state = 'pending', retry_count = retry_count + 1, last_update = ?1
                 WHERE state = 'in_progress' AND last_update < ?1 - ?2",
                params![now_unix_s, stuck_s],
            )
            .map_err(&wrap)?;
        let abandoned = transaction
            .execute(
                "UPDATE ingest_queue SET state = 'failed', last_update = ?1,
                     error = 'expected ' || expected_subbands || ' subbands, found ' ||
                         (SELECT count(*) FROM subband_files s WHERE s.group_id = ingest_queue.group_id)
                 WHERE state = 'collecting' AND last_update < ?1 - ?2",
                params![now_unix_s, abandoned_s],
            )
            .map_err(&wrap)?;
        transaction.commit().map_err(&wrap)?;
        Ok((stuck, abandoned))
    }
}
