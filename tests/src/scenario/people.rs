//! What HR knows, and the files it sends.

use crate::{Done, Failure};
use jiff::civil::Date;

/// HR's table, as in `people.csv`.
#[derive(Debug, Clone)]
pub struct People {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

const NUMBER: &str = "EMPLID";
const RECORD: &str = "EMPL_RCD";

impl People {
    /// Reads the table.
    pub fn read(text: &str) -> Done<Self> {
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
        let columns = reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect();
        let mut people = Self { columns, rows: Vec::new() };
        for row in reader.records() {
            people.rows.push(row.map_err(wrong)?.iter().map(str::to_owned).collect());
        }
        Ok(people)
    }

    fn column(&self, name: &str) -> Done<usize> {
        let place = self.columns.iter().position(|column| column == name);
        place.ok_or_else(|| Failure::new(format!("HR's table has no column {name}")))
    }

    fn places(&self, whom: &str) -> Done<Vec<usize>> {
        let (number, record) = whom.split_once('/').unwrap_or((whom, ""));
        let (at, record_at) = (self.column(NUMBER)?, self.column(RECORD)?);
        let is_meant = |known: &str| match number.split_once("..") {
            Some((first, last)) => known.len() == first.len() && first <= known && known <= last,
            None => number == "*" || known == number,
        };
        let fits = |row: &Vec<String>| {
            is_meant(&row[at]) && (record.is_empty() || row[record_at] == record)
        };
        let places: Vec<usize> = (0..self.rows.len()).filter(|&n| fits(&self.rows[n])).collect();
        if places.is_empty() {
            return Err(Failure::new(format!("HR knows nobody by {whom}")));
        }
        Ok(places)
    }

    /// Changes cells of a person's rows.
    pub fn change(&mut self, whom: &str, changes: &[(String, String)]) -> Done<()> {
        let places = self.places(whom)?;
        for (column, value) in changes {
            let column = self.column(column)?;
            for &place in &places {
                self.rows[place][column].clone_from(value);
            }
        }
        Ok(())
    }

    /// Takes people on: lines of the table.
    pub fn add(&mut self, row: &str) -> Done<()> {
        let text = format!("{}\n{row}\n", self.columns.join(","));
        self.rows.extend(Self::read(&text)?.rows);
        Ok(())
    }

    /// No longer lists a person.
    pub fn remove(&mut self, whom: &str) -> Done<()> {
        for place in self.places(whom)?.into_iter().rev() {
            self.rows.remove(place);
        }
        Ok(())
    }

    /// The file: `HDR,date,sequence`, the columns, the rows, `TRL,rows,sequence`.
    pub fn file(&self, as_of: Date, sequence: u32) -> Done<String> {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        writer.write_record(&self.columns).map_err(wrong)?;
        for row in &self.rows {
            writer.write_record(row).map_err(wrong)?;
        }
        let body = writer.into_inner().map_err(|e| Failure::new(e.to_string()))?;
        let body = String::from_utf8_lossy(&body);
        let count = self.rows.len();
        Ok(format!("HDR,{as_of},{sequence:06}\n{body}TRL,{count},{sequence:06}\n"))
    }
}

fn wrong(error: csv::Error) -> Failure {
    Failure::new(error.to_string())
}

/// The number in a file's name: `hr-2.csv` is 2.
pub fn sequence_of(name: &str) -> Done<u32> {
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    digits.parse().map_err(|_| Failure::new(format!("{name} has no number")))
}

/// Rows of people.csv for so many people at the central office: `200001`, …
pub fn crowd_rows(count: u32) -> String {
    (1..=count)
        .map(|n| {
            format!("{},0,{},Pat,,Active,2010-01-04,,,z,Staff,104005\n", 200_000 + n, crowd_name(n))
        })
        .collect()
}

/// Rows of directory.csv for the accounts of the same people: `mzper1p`, …, `mzp300p` (N4).
pub fn crowd_accounts(count: u32) -> String {
    (1..=count)
        .map(|n| format!("{},{},{},Pat,crowd,\n", crowd_user_id(n), 200_000 + n, crowd_name(n)))
        .collect()
}

fn crowd_user_id(n: u32) -> String {
    let letters = ["pers", "per", "pe", "p"];
    let digits = n.to_string();
    format!("mz{}{digits}p", letters.get(digits.len()).unwrap_or(&""))
}

fn crowd_name(n: u32) -> String {
    let letter = |n: u32| char::from(b'a' + u8::try_from(n % 26).unwrap_or(0));
    format!("Person{}{}", letter(n / 26), letter(n))
}
