//! What is in the file at which time.

use super::*;

/// Fails after it has taken the description.
struct Full(bool);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::mem::replace(&mut self.0, true) {
            false => Ok(bytes.len()),
            true => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_keeps_its_content_until_the_history_begins() {
    let path = std::env::temp_dir().join(format!("anyloop-history-kept-{}", std::process::id()));
    let content = || std::fs::read(&path).unwrap();
    // With more records than the channel has room for.
    let record = |writer: &Writer| {
        let mut recorder = writer.recorder();
        let connection = recorder.open(0);
        (0..2 * (WAITING + 1) * BLOCK / RECORD).for_each(|_| recorder.died(connection));
    };
    let longer = vec![b'x'; 4 * (WAITING + 1) * BLOCK];
    std::fs::write(&path, &longer).unwrap();
    let writer = Writer::create(&path, "").unwrap();
    record(&writer);
    let Writer { parts, thread, .. } = writer;
    drop(parts);
    assert_eq!(thread.join().unwrap().unwrap(), 0);
    assert!(content() == longer, "it was dropped");

    let writer = Writer::create(&path, "").unwrap();
    record(&writer);
    writer.begin();
    record(&writer);
    let records = writer.finish().unwrap();
    let mut reader = crate::Reader::new(io::Cursor::new(content())).unwrap();
    let mut count = 0;
    while reader.read().unwrap().is_some() {
        count += 1;
    }
    assert!(reader.is_complete() && count == records, "{count} of {records} records");

    let writer = Writer::create(&path, "").unwrap();
    assert_eq!(writer.finish().unwrap(), 0, "it begins at the end at the latest");
    assert_eq!(content().len(), 12 + RECORD);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_full_disk_is_an_error_and_does_not_block_the_client() {
    let writer = Writer::to(Full(false), "").unwrap();
    let mut recorder = writer.recorder();
    let connection = recorder.open(0);
    for _ in 0..2 * (WAITING + 1) * BLOCK / RECORD {
        recorder.request(connection, Digest::of(b""));
    }
    drop(recorder);
    assert_eq!(writer.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(Writer::to(Full(true), "").is_err(), "there is no room for the description");
}
