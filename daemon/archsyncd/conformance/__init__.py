"""What the owner of a source holds it against: JSON Schemas, rules, and the questions that a checker asks. Writes nothing."""
