-- Codex: companies, their contacts, and agents (the people who use HiveMatrix, with their preferences).
-- Times are Unix seconds. The *_key and search_text columns hold lower-cased text, made by the program,
-- because SQLite itself folds the case of ASCII only.

CREATE TABLE companies (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name           TEXT    NOT NULL,
    name_key       TEXT    NOT NULL UNIQUE,
    account_number TEXT             UNIQUE,
    website        TEXT,
    phone          TEXT,
    address        TEXT,
    notes          TEXT,
    search_text    TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE contacts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    company_id INTEGER NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    title      TEXT,
    email      TEXT,
    phone      TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX contacts_of_a_company ON contacts (company_id, name);

CREATE TABLE agents (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    email            TEXT    NOT NULL UNIQUE,
    name             TEXT    NOT NULL,
    permission_level TEXT    NOT NULL,
    theme_preference TEXT    NOT NULL DEFAULT 'light',
    color_theme      TEXT    NOT NULL DEFAULT 'purple',
    home_page        TEXT,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;
