//! Physical, site and correlator constants, each with its unit and source. Thresholds live with the params they belong to.

/// Speed of light in vacuum \[m/s\] (SI definition).
pub const SPEED_OF_LIGHT_M_S: f64 = 299_792_458.0;
/// Seconds in a day of UTC without a leap second \[s\].
pub const SECONDS_PER_DAY: f64 = 86_400.0;
/// Julian Date of MJD 0 \[days\].
pub const JD_OF_MJD_0: f64 = 2_400_000.5;

/// Telescope name in our Measurement Sets; EveryBeam >= 0.7.2 knows it, CASA does not.
pub const TELESCOPE_NAME: &str = "DSA_110";
/// Name of the site in CASA's observatory table, and in the correlator's headers.
pub const TELESCOPE_NAME_CASA: &str = "OVRO_MMA";
/// Site latitude, geodetic WGS84 \[degrees\] (CASA `OVRO_MMA`, as the UVH5 headers carry it).
pub const SITE_LATITUDE_DEG: f64 = 37.2314;
/// Site longitude, east \[degrees\] (CASA `OVRO_MMA`).
pub const SITE_LONGITUDE_DEG: f64 = -118.2817;
/// Site height above the WGS84 ellipsoid \[m\] (CASA `OVRO_MMA`).
pub const SITE_HEIGHT_M: f64 = 1222.0;

/// Dish diameter \[m\] (DSA-110 4.65 m dishes).
pub const DISH_DIAMETER_M: f64 = 4.65;
/// System equivalent flux density of one antenna, efficiency included \[Jy\] (DSA-110 antenna positions memo).
pub const SEFD_JY: f64 = 6500.0;
/// Stations in the antenna table.
pub const STATIONS: usize = 117;

/// Subbands per observation.
pub const SUBBANDS: usize = 16;
/// Channels per subband after averaging in the correlator.
pub const CHANNELS_PER_SUBBAND: usize = 48;
/// Upper band edge of the digitised band, from which raw channels descend \[Hz\].
pub const RAW_BAND_TOP_HZ: f64 = 1.53e9;
/// Width of one raw correlator channel \[Hz\]: 250 MHz / 8192.
pub const RAW_CHANNEL_WIDTH_HZ: f64 = 250.0e6 / 8192.0;
/// Raw channels averaged into one output channel.
pub const RAW_CHANNELS_PER_CHANNEL: usize = 8;
/// First raw channel of subband 0.
pub const FIRST_RAW_CHANNEL: usize = 1024;
/// Width of one output channel \[Hz\].
pub const CHANNEL_WIDTH_HZ: f64 = RAW_CHANNEL_WIDTH_HZ * RAW_CHANNELS_PER_CHANNEL as f64;
/// Raw samples per integration.
pub const SAMPLES_PER_INTEGRATION: usize = 96;
/// Raw sample time \[s\].
pub const RAW_SAMPLE_S: f64 = 0.134_217_728;
/// Integration time of one dump \[s\].
pub const INTEGRATION_S: f64 = RAW_SAMPLE_S * SAMPLES_PER_INTEGRATION as f64;
/// Integrations per file.
pub const INTEGRATIONS_PER_FILE: usize = 24;

/// Centre frequency \[Hz\] of channel `channel` (0 = highest) of subband `subband` (0 = highest): the
/// mean of its raw channels, whose own centres descend from [`RAW_BAND_TOP_HZ`].
pub fn channel_frequency_hz(subband: usize, channel: usize) -> f64 {
    let first = FIRST_RAW_CHANNEL + RAW_CHANNELS_PER_CHANNEL * (CHANNELS_PER_SUBBAND * subband + channel);
    let middle = first as f64 + (RAW_CHANNELS_PER_CHANNEL as f64 - 1.0) / 2.0;
    RAW_BAND_TOP_HZ - middle * RAW_CHANNEL_WIDTH_HZ
}

#[cfg(test)]
mod tests {
    use super::*;

    // Figures read back from real headers.
    #[test]
    fn grid_is_that_of_the_real_headers() {
        assert_eq!(channel_frequency_hz(0, 0), 1_498_643_188.476_562_5);
        assert_eq!(channel_frequency_hz(7, 47), 1_405_137_329.101_562_5);
        assert_eq!(channel_frequency_hz(15, 47), 1_311_387_329.101_562_5);
        assert_eq!(CHANNEL_WIDTH_HZ, 244_140.625);
        assert!((INTEGRATION_S - 12.884_901_888).abs() < 1e-12);
    }
}
