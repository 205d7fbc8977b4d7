//! Names of people. The weights follow how common the names are in the United States.

/// Family names with their weights.
#[rustfmt::skip]
pub const LAST: &[(&str, u32)] = &[
    ("Smith", 244), ("Johnson", 193), ("Williams", 163), ("Brown", 144), ("Jones", 143),
    ("Garcia", 117), ("Miller", 116), ("Davis", 112), ("Rodriguez", 109), ("Martinez", 106),
    ("Hernandez", 104), ("Lopez", 87), ("Gonzalez", 84), ("Wilson", 80), ("Anderson", 78),
    ("Thomas", 76), ("Taylor", 75), ("Moore", 72), ("Jackson", 71), ("Martin", 70), ("Lee", 69),
    ("Perez", 68), ("Thompson", 66), ("White", 66), ("Harris", 62), ("Sanchez", 61), ("Clark", 56),
    ("Ramirez", 55), ("Lewis", 53), ("Robinson", 53), ("Walker", 52), ("Young", 48), ("Allen", 48),
    ("King", 46), ("Wright", 46), ("Scott", 44), ("Torres", 44), ("Nguyen", 44), ("Hill", 43),
    ("Flores", 43), ("Green", 43), ("Adams", 43), ("Nelson", 42), ("Baker", 42), ("Hall", 41),
    ("Rivera", 39), ("Campbell", 39), ("Mitchell", 38), ("Carter", 38), ("Roberts", 37),
    ("Kim", 26), ("Cox", 26), ("Ward", 26), ("Wood", 25), ("Kelly", 27), ("Patel", 23), ("Ross", 22),
    ("Hughes", 22), ("Myers", 22), ("Long", 22), ("Foster", 22), ("Powell", 21), ("Fisher", 19),
    ("Ford", 19), ("Wu", 12), ("Ng", 5), ("Schroeder", 8), ("Kowalski", 5), ("Vandergriff", 2),
    ("Oberholtzer", 1), ("Yoakum", 1), ("Kuykendall", 2),
];

/// First names with their weights.
#[rustfmt::skip]
pub const FIRST: &[(&str, u32)] = &[
    ("Mary", 26), ("James", 33), ("Patricia", 16), ("Robert", 31), ("Jennifer", 15), ("John", 32),
    ("Linda", 15), ("Michael", 43), ("Elizabeth", 15), ("David", 36), ("Barbara", 14),
    ("William", 25), ("Susan", 12), ("Richard", 20), ("Jessica", 12), ("Joseph", 21), ("Sarah", 11),
    ("Thomas", 18), ("Karen", 10), ("Christopher", 20), ("Lisa", 9), ("Charles", 15), ("Nancy", 9),
    ("Daniel", 19), ("Sandra", 8), ("Matthew", 16), ("Ashley", 8), ("Anthony", 14), ("Emily", 7),
    ("Mark", 13), ("Kimberly", 8), ("Donald", 10), ("Donna", 7), ("Steven", 12), ("Michelle", 8),
    ("Andrew", 11), ("Carol", 6), ("Paul", 11), ("Amanda", 7), ("Joshua", 12), ("Melissa", 7),
    ("Kenneth", 10), ("Deborah", 7), ("Kevin", 11), ("Stephanie", 7), ("Brian", 11), ("Dorothy", 4),
    ("Timothy", 10), ("Rebecca", 7), ("Ronald", 9), ("Sharon", 6), ("Jason", 10), ("Laura", 6),
    ("Jose", 7), ("Maria", 8), ("Luis", 5), ("Ana", 3), ("Keisha", 2), ("DeShawn", 2), ("Priya", 2),
    ("Wei", 1), ("Ngoc", 1), ("Fatima", 1), ("Yusuf", 1), ("Olga", 1), ("Beau", 1), ("Al", 1),
];

/// What people with a certain legal first name like to be called.
#[rustfmt::skip]
pub const PREFERRED: &[(&str, &str)] = &[
    ("William", "Bill"), ("Robert", "Bob"), ("Elizabeth", "Beth"), ("Michael", "Mike"),
    ("James", "Jim"), ("Patricia", "Trish"), ("Margaret", "Peggy"), ("Christopher", "Chris"),
    ("Deborah", "Debbie"), ("Richard", "Rick"), ("Kimberly", "Kim"), ("Jennifer", "Jen"),
];

/// One who is in every sample agency, since software stumbles over such names.
#[derive(Debug, Clone, Copy)]
pub struct Awkward {
    /// Family name as HR has it.
    pub last: &'static str,
    /// Legal first name.
    pub first: &'static str,
    /// Location that employs.
    pub location: char,
}

/// Names that software stumbles over. The two John Smiths are two people.
pub const AWKWARD: &[Awkward] = &[
    Awkward { last: "Smith", first: "John", location: 'z' },
    Awkward { last: "Smith", first: "John", location: 'z' },
    Awkward { last: "Li", first: "Ann", location: 'q' },
    Awkward { last: "Núñez", first: "María", location: 'z' },
    Awkward { last: "O'Brien", first: "Sean", location: 'b' },
    Awkward { last: "De La Cruz", first: "José", location: 'q' },
    Awkward { last: "Smith-Jones Jr", first: "Robert", location: 'v' },
    Awkward { last: "Wójcik", first: "Łukasz", location: '1' },
    Awkward { last: "Nguyễn", first: "Thị Hương", location: 'b' },
    Awkward { last: "O", first: "E", location: 'b' },
    Awkward { last: "#Odd,+\"\\<>;=*()", first: "Ev (temp)", location: 'b' },
    Awkward { last: "Wolfeschlegelsteinhausenbergerdorff", first: "Hubert", location: 'v' },
    Awkward { last: "St. John", first: "Mary Ann", location: '1' },
];
