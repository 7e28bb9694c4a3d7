//! Tells which handwritten digit a picture of 8x8 pixels shows, a PGM in text form, dark on light.
mod digits {
    include!(concat!(env!("OUT_DIR"), "/digits.rs"));
}

fn read_picture(path: &str) -> Result<Vec<f32>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let mut words = text.split_whitespace();
    if [words.next(), words.next(), words.next()] != [Some("P2"), Some("8"), Some("8")] {
        return Err(format!("{path}: not a PGM of 8x8 pixels in text form"));
    }
    let numbers: Result<Vec<f32>, _> = words.map(str::parse).collect();
    match numbers.map_err(|e| format!("{path}: {e}"))?.split_first() {
        Some((white, grey)) => Ok(grey.iter().map(|g| 1.0 - g / white).collect()),
        None => Err(format!("{path}: cut off")),
    }
}

fn run() -> Result<(), String> {
    let path = std::env::args().nth(1).ok_or("usage: digit PICTURE.pgm")?;
    let p: Vec<f32> = digits::Runner::new(1)?.run(&read_picture(&path)?)?;
    let (best, score) = p
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .ok_or("no classes")?;
    println!("{path} looks like {best} ({:.1} %)", 100.0 * score);
    Ok(())
}

fn main() {
    if let Err(e) = run() {
        eprintln!("{e}");
        std::process::exit(1);
    }
}
