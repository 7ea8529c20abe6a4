-- Codex, whole: assets, what came from other systems, who belongs to which company, what was imported and pulled.

-- The number that another system knows a company by; 64 bits wide, because such numbers are.
ALTER TABLE companies ADD COLUMN external_source TEXT;
ALTER TABLE companies ADD COLUMN external_id INTEGER;
CREATE UNIQUE INDEX companies_external_id ON companies (external_source, external_id);

-- A client belongs to the companies that have a contact with the client's e-mail address.
ALTER TABLE contacts ADD COLUMN email_key TEXT;
ALTER TABLE contacts ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
UPDATE contacts SET email_key = lower(email);
UPDATE contacts SET search_text = lower(name || ' ' || coalesce(title, '') || ' ' || coalesce(email, '') || ' ' || coalesce(phone, ''));
CREATE INDEX contacts_email_key ON contacts (email_key);

CREATE TABLE assets (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    company_id    INTEGER NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
    contact_id    INTEGER          REFERENCES contacts (id) ON DELETE SET NULL,
    name          TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    serial_number TEXT,
    model         TEXT,
    location      TEXT,
    notes         TEXT,
    search_text   TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX assets_of_a_company ON assets (company_id, name);
CREATE INDEX assets_of_a_contact ON assets (contact_id);

-- What the identity provider says of agents: its own id of the person, and whether they may still sign in.
ALTER TABLE agents ADD COLUMN subject TEXT;
ALTER TABLE agents ADD COLUMN username TEXT;
ALTER TABLE agents ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE agents ADD COLUMN synced_at INTEGER;
CREATE INDEX agents_subject ON agents (subject);

-- Who has imported what.
CREATE TABLE imports (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL,
    email      TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    unchanged  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Pulls from another system, and how far each has come.
CREATE TABLE pulls (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    next_page   INTEGER,
    pages       INTEGER NOT NULL DEFAULT 0,
    created     INTEGER NOT NULL DEFAULT 0,
    changed     INTEGER NOT NULL DEFAULT 0,
    unchanged   INTEGER NOT NULL DEFAULT 0,
    refused     INTEGER NOT NULL DEFAULT 0,
    message     TEXT,
    started_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
