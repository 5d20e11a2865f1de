//! Builds the program again when the page was built again.

fn main() {
    // Of a folder that is missing cargo says each time that it has changed. The page's build fills it.
    let _ = std::fs::create_dir_all("../web/dist");
    println!("cargo::rerun-if-changed=../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
}
