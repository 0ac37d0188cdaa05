//! What the program says about its functions.

use crate::program::run;

#[test]
fn the_committed_page_is_what_the_program_writes() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/compatibility.md")).unwrap();
    let written = run(&["functions", "--markdown"]).out;
    assert!(page == written, "run `cloudtarn functions --markdown > docs/compatibility.md`");
}

#[test]
fn a_function_comes_with_an_example_that_ran() {
    let said = run(&["functions", "LOWER"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.out, "lower(varchar) -> varchar\npage: string\nexample: lower('GetObject') gives getobject\n\n");
    let line: serde_json::Value =
        serde_json::from_str(&run(&["functions", "split_part", "--output", "json"]).out).unwrap();
    assert_eq!((line["page"].as_str(), line["result"].as_str()), (Some("string"), Some("iam")));
    let unknown = run(&["functions", "json_extr"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("json_extract_scalar"), "{}", unknown.err);
}
