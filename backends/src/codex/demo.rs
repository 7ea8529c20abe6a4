//! Invented companies and contacts, so that a demo has something to show.
//!
//! Names are invented, domains end in `.example` (RFC 2606) and telephone numbers are of the kind that is set aside
//! for fiction, so nobody can be called or written to by accident.

use hivematrix_platform::unix_now;

use super::{assets, companies, contacts, database::Pool, tables::SaveError};

/// Name, account number, website, phone, address, notes, contacts (name, title, mailbox at the company's domain).
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str, &'static str)],
);

const COMPANIES: [Row; 15] = [
    (
        "Alder & Finch Accounting",
        "AF-1001",
        "alderfinch.example",
        "+1 206 555 0101",
        "412 Pine Street\nSeattle, WA 98101",
        "Busy from January to April: no maintenance windows on weekdays.",
        &[
            ("Miriam Alder", "Managing partner", "miriam.alder"),
            ("Tobias Finch", "Partner", "tobias.finch"),
            ("Priya Nair", "Office manager", "priya.nair"),
        ],
    ),
    (
        "Bluewater Dental Group",
        "BD-1002",
        "bluewaterdental.example",
        "+1 415 555 0117",
        "88 Harbor Way, Suite 300\nSan Francisco, CA 94111",
        "Four practices. Patient data: remote sessions must be announced.",
        &[
            ("Dr. Elena Castillo", "Clinical director", "elena.castillo"),
            ("Marcus Webb", "Operations", "marcus.webb"),
        ],
    ),
    (
        "Cobalt Freight Lines",
        "CF-1003",
        "cobaltfreight.example",
        "+1 312 555 0122",
        "2200 South Ashland Avenue\nChicago, IL 60608",
        "Dispatch works around the clock; call before anything restarts.",
        &[
            ("Ray Kowalski", "Head of dispatch", "ray.kowalski"),
            ("Denise Okafor", "IT coordinator", "denise.okafor"),
            ("Sam Lindqvist", "Fleet manager", "sam.lindqvist"),
        ],
    ),
    (
        "Dorset Street Bakery",
        "DS-1004",
        "dorsetstreetbakery.example",
        "+44 20 7946 0133",
        "17 Dorset Street\nLondon W1U 6QL",
        "Three shops and one bakehouse, tills on mobile connections.",
        &[
            ("Harriet Osei", "Owner", "harriet"),
            ("Callum Reid", "Bakehouse manager", "callum"),
        ],
    ),
    (
        "Evergreen Property Management",
        "EP-1005",
        "evergreenproperty.example",
        "+1 503 555 0145",
        "901 NW Couch Street\nPortland, OR 97209",
        "",
        &[
            ("Joanna Petrov", "Director", "joanna.petrov"),
            ("Luis Herrera", "Facilities", "luis.herrera"),
        ],
    ),
    (
        "Fairmont Legal Partners",
        "FL-1006",
        "fairmontlegal.example",
        "+1 617 555 0158",
        "1 Beacon Court\nBoston, MA 02108",
        "Legal hold on mail archives until further notice.",
        &[
            ("Caroline Fairmont", "Senior partner", "cfairmont"),
            ("Nathan Brandt", "Practice manager", "nbrandt"),
            ("Aisha Rahman", "Paralegal", "arahman"),
        ],
    ),
    (
        "Gläser Optik GmbH",
        "GO-1007",
        "glaeser-optik.example",
        "+49 30 23125 012",
        "Kastanienallee 40\n10119 Berlin",
        "Correspondence in German.",
        &[
            ("Jörg Gläser", "Geschäftsführer", "j.glaeser"),
            ("Anneliese Krüger", "Werkstattleitung", "a.krueger"),
        ],
    ),
    (
        "Harbor Light Community Clinic",
        "HL-1008",
        "harborlightclinic.example",
        "+1 207 555 0164",
        "55 Commercial Street\nPortland, ME 04101",
        "Non-profit rate. Board meets on the first Tuesday.",
        &[
            ("Ruth Emerson", "Executive director", "ruth.emerson"),
            ("Ben Achterberg", "Practice IT", "ben.achterberg"),
        ],
    ),
    (
        "Ironwood Manufacturing",
        "IM-1009",
        "ironwoodmfg.example",
        "+1 313 555 0171",
        "7400 Industrial Parkway\nDetroit, MI 48209",
        "Shop-floor network is separate; never patch the CNC stations without Dale.",
        &[
            ("Dale Hutchins", "Plant engineer", "dale.hutchins"),
            ("Monique Tremblay", "Controller", "monique.tremblay"),
            ("Grace Kim", "Purchasing", "grace.kim"),
            ("Owen Pratt", "Shift lead", "owen.pratt"),
        ],
    ),
    (
        "Juniper Veterinary Hospital",
        "JV-1010",
        "junipervet.example",
        "+1 720 555 0183",
        "310 Larimer Street\nDenver, CO 80204",
        "",
        &[
            ("Dr. Simon Achebe", "Veterinarian", "simon.achebe"),
            ("Kelly Thornton", "Reception", "kelly.thornton"),
        ],
    ),
    (
        "Kestrel Aviation Services",
        "KA-1011",
        "kestrelaviation.example",
        "+1 907 555 0192",
        "Hangar 6, Merrill Field\nAnchorage, AK 99501",
        "Satellite link as fallback; bandwidth is metered.",
        &[
            ("Ingrid Solheim", "Operations", "ingrid.solheim"),
            ("Peter Nakamura", "Chief mechanic", "peter.nakamura"),
        ],
    ),
    (
        "Larkspur Architects",
        "LA-1012",
        "larkspurarchitects.example",
        "+1 512 555 0106",
        "1200 East 6th Street\nAustin, TX 78702",
        "Large CAD files: file server first, everything else second.",
        &[
            ("Victoria Lark", "Principal", "victoria"),
            ("Mateo Rojas", "BIM manager", "mateo"),
        ],
    ),
    (
        "Meridian Logistics Ireland",
        "ML-1013",
        "meridianlogistics.example",
        "+353 20 910 0114",
        "Unit 12, Harbour Estate\nCork T12 X8N6",
        "Invoices in euro.",
        &[
            ("Aoife Brennan", "Managing director", "aoife.brennan"),
            ("Declan Moore", "Warehouse", "declan.moore"),
            ("Zofia Nowak", "Customs", "zofia.nowak"),
        ],
    ),
    (
        "Northfield School District",
        "NS-1014",
        "northfieldschools.example",
        "+1 612 555 0129",
        "1 Education Plaza\nMinneapolis, MN 55401",
        "Changes only during school holidays. Purchase orders required.",
        &[
            ("Angela Whitfield", "Technology director", "awhitfield"),
            ("Omar Haddad", "Network technician", "ohaddad"),
        ],
    ),
    (
        "Orchard Lane Wealth",
        "OL-1015",
        "orchardlanewealth.example",
        "+1 203 555 0137",
        "30 Orchard Lane\nGreenwich, CT 06830",
        "Regulated: keep every change record for seven years.",
        &[
            ("Julian Cross", "Founder", "julian.cross"),
            ("Beatrice Holm", "Compliance", "beatrice.holm"),
        ],
    ),
];

/// Fills an empty database; one that holds companies is left alone.
pub(crate) async fn fill(pool: &Pool) -> Result<(), sqlx::Error> {
    // Takes the write lock first: of two Codexes that start at once, one fills.
    let mut transaction = pool.begin().await?;
    sqlx::query("UPDATE companies SET updated_at = updated_at WHERE id < 0")
        .execute(&mut transaction)
        .await?;
    let present: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM companies")
        .fetch_one(&mut transaction)
        .await?;
    if present > 0 {
        return Ok(());
    }
    let now = unix_now().cast_signed();
    for row in &COMPANIES {
        let made = companies::store::create(&mut transaction, &company(row), None, now).await;
        let Some(company) = stored(made)? else {
            continue;
        };
        let mut people = Vec::new();
        for person in row.6 {
            let details = contact(row.2, *person);
            people.extend(stored(
                contacts::store::create(&mut transaction, company, &details, now).await,
            )?);
        }
        for asset in assets_of(row.1, &people) {
            stored(assets::store::create(&mut transaction, company, &asset, now).await)?;
        }
        if row.1 == OF_THE_CLIENT {
            let client = contacts::Details {
                name: "Chris Client".to_owned(),
                title: Some("Purchasing".to_owned()),
                email: Some(CLIENT.to_owned()),
                phone: None,
            };
            stored(contacts::store::create(&mut transaction, company, &client, now).await)?;
        }
    }
    transaction.commit().await
}

/// The number of what was stored. The tables above are checked by a test; what cannot be stored is left out.
fn stored(saved: Result<i64, SaveError>) -> Result<Option<i64>, sqlx::Error> {
    match saved {
        Ok(id) => Ok(Some(id)),
        Err(SaveError::Database(error)) => Err(error),
        Err(SaveError::Missing | SaveError::Refused(_) | SaveError::Conflict(_)) => Ok(None),
    }
}

/// The company that the demo's user `client` belongs to, by its account number.
const OF_THE_CLIENT: &str = "AF-1001";

/// The e-mail address of the demo's user `client`.
const CLIENT: &str = "client@hivematrix.example";

/// A server, a switch and a laptop for each contact.
fn assets_of(account_number: &str, people: &[i64]) -> Vec<assets::Details> {
    let label = account_number.to_lowercase();
    let asset = |name: String, kind: &str, model: &str, location: &str, contact_id| assets::Details {
        serial_number: Some(format!("SN-{}", name.to_uppercase())),
        name,
        kind: kind.to_owned(),
        model: Some(model.to_owned()),
        location: Some(location.to_owned()),
        notes: None,
        contact_id,
    };
    let mut all = vec![
        asset(
            format!("{label}-srv1"),
            "server",
            "Northwind R240",
            "Server room",
            None,
        ),
        asset(
            format!("{label}-sw1"),
            "network",
            "Lattice 24G",
            "Server room",
            None,
        ),
    ];
    all.extend(people.iter().enumerate().map(|(number, contact)| {
        let name = format!("{label}-nb{}", number + 1);
        asset(name, "laptop", "Meridian 14", "Office", Some(*contact))
    }));
    all
}

fn company(&(name, account_number, website, phone, address, notes, _): &Row) -> companies::Details {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    companies::Details {
        name: name.to_owned(),
        account_number: text(account_number),
        website: Some(format!("https://www.{website}/")),
        phone: text(phone),
        address: text(address),
        notes: text(notes),
    }
}

fn contact(domain: &str, (name, title, mailbox): (&str, &str, &str)) -> contacts::Details {
    contacts::Details {
        name: name.to_owned(),
        title: Some(title.to_owned()),
        email: Some(format!("{mailbox}@{domain}")),
        phone: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::codex::database;

    #[test]
    fn everything_invented_would_be_accepted_from_a_person_too() {
        for row in &COMPANIES {
            let details = company(row);
            assert_eq!(companies::Typed::from(&details).check().unwrap(), details);
            for person in row.6 {
                let details = contact(row.2, *person);
                assert_eq!(contacts::Typed::from(&details).check().unwrap(), details);
            }
        }
    }

    #[tokio::test]
    async fn an_empty_database_is_filled_once_and_one_with_companies_is_left_alone() {
        let count = async |pool: &Pool, sql: &'static str| -> i64 {
            sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
        };
        let pool = database::in_memory().await;
        for _ in 0..2 {
            fill(&pool).await.unwrap();
            assert_eq!(count(&pool, "SELECT COUNT(*) FROM companies").await, 15);
            assert!(count(&pool, "SELECT COUNT(*) FROM assets").await > 45);
        }
        let mine = "SELECT COUNT(*) FROM contacts WHERE email_key = 'client@hivematrix.example'";
        assert_eq!(count(&pool, mine).await, 1);
        let used = database::in_memory().await;
        let own = companies::Details {
            name: "Ours".to_owned(),
            ..companies::Details::default()
        };
        companies::store::create(&used, &own, None, 1).await.unwrap();
        fill(&used).await.unwrap();
        assert_eq!(count(&used, "SELECT COUNT(*) FROM companies").await, 1);
    }
}
