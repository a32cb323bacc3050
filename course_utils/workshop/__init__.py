"""The author's tools: from one bilingual source per chapter to executed, checked notebooks. No chapter imports them."""
