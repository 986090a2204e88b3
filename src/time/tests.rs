use super::*;

const TEXT_DAYS: usize = 40;

fn fixed_line(mjd: usize, dut1: f64, predicted: bool) -> String {
    let flag = if predicted { 'P' } else { 'I' };
    let mut line = format!(
        "{:2}{:2}{:2} {mjd:8.2} {flag} {:9.6}{:9.6} {:9.6}{:9.6}",
        19,
        1,
        1,
        0.1,
        0.0,
        0.2,
        0.0,
        mjd = mjd as f64
    );
    line = format!("{line:<57}{flag}{dut1:10.7}{:10.7}", 0.0);
    format!("{line:<187}")
}

fn fixed(jump_at: Option<usize>) -> String {
    (0..TEXT_DAYS)
        .map(|i| {
            let jump = f64::from(u8::from(jump_at.is_some_and(|j| i >= j)));
            fixed_line(60_000 + i, -0.4 + 0.001 * i as f64 + jump, i > 30) + "\n"
        })
        .collect()
}

#[test]
fn split_and_join() {
    let t = 5_275_000_123.456_f64;
    assert!((mjd_s_from_jd(jd_from_mjd_s(t)) - t).abs() < 5e-5);
    let (day, fraction) = split_mjd_s(t);
    assert_eq!(day.fract(), 0.5);
    assert!((0.0..1.0).contains(&fraction));
}

#[test]
fn shipped_table_covers_the_array() {
    let earth = EarthOrientation::builtin().unwrap();
    let (first, last) = earth.table().span_mjd();
    assert!(first <= 57_023.0 && last > 61_500.0);
    let at = earth.at(58_849.0 * 86_400.0);
    // IERS finals2000A, 2020-01-01, Bulletin B: UT1-UTC = -0.1771303 s, x = 0.076606, y = 0.282327 arcsec.
    assert!((at.dut1_s + 0.177_130_3).abs() < 1e-12, "{at:?}");
    assert_eq!(at.tai_minus_utc_s, 37.0);
    assert_eq!(earth.at(57_500.0 * 86_400.0).tai_minus_utc_s, 36.0);
}

#[test]
fn our_layout_is_read_as_written() {
    let table = EarthOrientation::builtin().unwrap().table().clone();
    let again = OrientationTable::parse(&table.to_csv(), &table.origin).unwrap();
    assert_eq!(table, again);
}

#[test]
fn iers_columns_are_read_and_a_leap_second_is_no_slope() {
    let table = OrientationTable::parse(&fixed(Some(20)), "test").unwrap();
    assert_eq!((table.len(), table.last_measured_mjd), (TEXT_DAYS, 60_030.0));
    let earth = EarthOrientation::from_table(table.into());
    let noon_before = earth.at(60_019.5 * 86_400.0);
    assert!((noon_before.dut1_s - (-0.4 + 0.0195)).abs() < 1e-9, "{noon_before:?}");
    assert_eq!(noon_before.tai_minus_utc_s, 37.0);
    assert_eq!(earth.at(60_020.0 * 86_400.0).tai_minus_utc_s, 38.0);
    assert!((earth.at(60_020.0 * 86_400.0).dut1_s - 0.62).abs() < 1e-9);
}

#[test]
fn iers_csv_is_read() {
    let mut text = String::from(
        "MJD;Year;Month;Day;Type;x_pole;sigma_x_pole;y_pole;sigma_y_pole;Type;UT1-UTC;sigma_UT1-UTC;LOD\n",
    );
    for i in 0..TEXT_DAYS {
        let kind = if i > 30 { "prediction" } else { "final" };
        text += &format!("{};2023;02;25;{kind};0.1;0;0.2;0;{kind};-0.4;0;0\n", 60_000 + i);
    }
    text += "60040;2023;04;06;;;;;;;;;\n";
    let table = OrientationTable::parse(&text, "test").unwrap();
    assert_eq!((table.len(), table.last_measured_mjd), (TEXT_DAYS, 60_030.0));
}

#[test]
fn what_is_no_table_is_refused() {
    let short: String = fixed(None).lines().take(3).map(|l| format!("{l}\n")).collect();
    let gap: String =
        fixed(None).lines().enumerate().filter(|(i, _)| *i != 7).map(|(_, l)| format!("{l}\n")).collect();
    let nan = fixed(None).replacen("-0.3950000", "       nan", 1);
    for text in ["", "<html>not found</html>", short.as_str(), gap.as_str(), nan.as_str()] {
        let error = OrientationTable::parse(text, "here").unwrap_err();
        assert!(error.to_string().contains("here"), "{error}");
    }
}

#[test]
fn beyond_the_table_the_last_value_stays_and_the_error_grows() {
    let earth = EarthOrientation::builtin().unwrap();
    let (_, last) = earth.table().span_mjd();
    assert_eq!(earth.at(last * 86_400.0).dut1_s, earth.at((last + 500.0) * 86_400.0).dut1_s);
    let near = earth.coverage((last + 10.0) * 86_400.0).dut1_error_s();
    let far = earth.coverage((last + 100.0) * 86_400.0).dut1_error_s();
    assert!(near > 0.0 && far > near);
    assert_eq!(earth.coverage(last * 86_400.0), Coverage::Predicted);
}

#[test]
fn update_replaces_the_table_or_leaves_it() {
    let dir = tempfile::tempdir().unwrap();
    let (source, into) = (dir.path().join("finals2000A.all"), dir.path().join("new/iers.csv"));
    std::fs::write(&source, fixed(None)).unwrap();
    let (path, table) = update(&source, Some(&into)).unwrap();
    assert_eq!((path.as_path(), table.len()), (into.as_path(), TEXT_DAYS));
    let before = std::fs::read(&into).unwrap();
    let shorter: String = fixed(None).lines().take(30).map(|l| l.to_owned() + "\n").collect();
    std::fs::write(&source, shorter).unwrap();
    assert!(update(&source, Some(&into)).unwrap_err().to_string().contains("60030"));
    std::fs::write(&source, "rubbish").unwrap();
    update(&source, Some(&into)).unwrap_err();
    assert_eq!(std::fs::read(&into).unwrap(), before);
    assert_eq!(std::fs::read_dir(into.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn times_that_cannot_be_are_refused() {
    let earth = EarthOrientation::builtin().unwrap();
    for t in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e18] {
        assert!(Moment::new(t, &earth).is_err());
    }
}

// Frozen: python -c "import erfa; print(erfa.gst06a(2461066.5, 0.25 + DUT1/86400, 2461066.5, 0.25 + 69.184/86400))"
// with DUT1 of the shipped table at MJD 61066.25; tests/python/oracle/test_geometry.py holds the full comparison.
#[test]
fn sidereal_day_is_shorter_by_four_minutes() {
    let earth = EarthOrientation::builtin().unwrap();
    let t = 61_066.25 * 86_400.0;
    let a = last_rad(t, 0.1, &earth).unwrap();
    let b = last_rad(t + 86_400.0 / 1.002_737_909_350_795, 0.1, &earth).unwrap();
    let turn = (b - a + std::f64::consts::PI).rem_euclid(std::f64::consts::TAU) - std::f64::consts::PI;
    // Nutation and the length of day move it by some milliseconds a day.
    assert!(turn.abs() < 2e-6, "{turn}");
}
