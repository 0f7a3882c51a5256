//! A log that the first version has written.

use super::memory::Memory;
use super::model::reopen;

/// Three segments that were written anew, two that were appended to.
const SEGMENTS: [(&str, &[u8]); 5] = [
    ("0000000000000001.log", include_bytes!("version_1/0000000000000001.log")),
    ("0000000000000002.log", include_bytes!("version_1/0000000000000002.log")),
    ("0000000000000003.log", include_bytes!("version_1/0000000000000003.log")),
    ("0000000000000004.log", include_bytes!("version_1/0000000000000004.log")),
    ("0000000000000005.log", include_bytes!("version_1/0000000000000005.log")),
];

#[test]
fn a_log_of_version_1_is_read() {
    let memory = Memory::default();
    SEGMENTS.iter().for_each(|(name, bytes)| memory.write(name, bytes.to_vec()));
    let (engine, jobs, counter) = reopen(&memory).expect("it can be read");
    assert!(engine.findings.is_empty(), "{:?}", engine.findings);
    assert_eq!(counter, 120);
    let mut expected = vec![(100, 0, b"last".to_vec())];
    for (number, returns) in
        [(2, 0), (11, 5), (20, 8), (29, 11), (30, 0), (31, 0), (32, 0), (33, 0), (34, 0), (35, 0), (36, 0)]
    {
        expected.push((number, returns, vec![((number - 1) / 3) as u8; 150]));
    }
    expected.sort();
    let jobs: Vec<_> =
        jobs.into_iter().map(|(number, (returns, workload))| (number, returns, workload)).collect();
    assert_eq!(jobs, expected);
}
