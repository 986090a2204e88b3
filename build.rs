//! Compiles the glue between `src/casatable` and casacore (static, inside rubbl's own C++ namespace).

fn main() {
    let glue = "src/casatable/glue.cc";
    println!("cargo:rerun-if-changed={glue}");
    let include = std::env::var_os("DEP_CASA_INCLUDE");
    let Some(include) = include else {
        println!(
            "cargo:warning=DEP_CASA_INCLUDE is not set: rubbl_casatables_impl did not export its headers"
        );
        return;
    };
    // casacore ends the process when a write fails in a destructor: the glue takes its writes over (see there).
    let wraps = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if wraps {
        for call in ["write", "pwrite", "pwrite64", "rename", "fsync"] {
            println!("cargo:rustc-link-arg=-Wl,--wrap={call}");
        }
    }
    cc::Build::new()
        .cpp(true)
        .warnings(false)
        .flag_if_supported("-std=c++14")
        .flag_if_supported("-Wno-deprecated-declarations")
        .define("casacore", "rubbl_casacore")
        .define("USE_THREADS", "1")
        .define("CONTIMG_WRAP_WRITES", if wraps { "1" } else { "0" })
        .include(include)
        .file(glue)
        .compile("contimg_casatable_glue");
    println!("cargo:rustc-link-lib=static=casatables_impl");
}
