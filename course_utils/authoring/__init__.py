"""From one bilingual source per chapter to two executed notebooks: parse, lint, assemble, execute, check."""
