"""pyairtable against the sandbox."""

import unittest

import requests
from pyairtable import Api
from pyairtable.formulas import AND, OR, Field, RECORD_ID, match

import sandbox

URL, TOKEN = sandbox.AIRTABLE["url"], sandbox.AIRTABLE["token"]
BASE, TABLE = sandbox.AIRTABLE["base"], sandbox.AIRTABLE["table"]


def table(token=TOKEN):
    return Api(token, endpoint_url=URL).table(BASE, TABLE)


class Records(unittest.TestCase):
    def setUp(self):
        everything = [record["id"] for record in table().all()]
        table().batch_delete(everything)

    def test_a_record_is_made_read_changed_and_deleted(self):
        made = table().create({"Job ID": "JOB1", "job_history": "first\nsecond"})
        self.assertRegex(made["id"], "^rec[A-Za-z0-9]{14}$")
        self.assertEqual(table().get(made["id"])["fields"], {"Job ID": "JOB1", "job_history": "first\nsecond"})
        changed = table().update(made["id"], {"job_history": "third"})
        self.assertEqual(changed["fields"], {"Job ID": "JOB1", "job_history": "third"})
        emptied = table().update(made["id"], {"job_history": None})
        self.assertEqual(emptied["fields"], {"Job ID": "JOB1"})
        self.assertEqual(table().delete(made["id"]), {"id": made["id"], "deleted": True})
        with self.assertRaises(requests.HTTPError) as refused:
            table().get(made["id"])
        self.assertEqual(refused.exception.response.json(), {"error": "NOT_FOUND"})

    def test_the_schema_of_the_base_is_read(self):
        schema = Api(TOKEN, endpoint_url=URL).base(BASE).schema().table(TABLE)
        self.assertEqual({field.type for field in schema.fields}, {"multilineText"})
        self.assertIn("job_history", [field.name for field in schema.fields])

    def test_lists_are_paged_sorted_and_cut(self):
        table().batch_create([{"Job ID": f"JOB{n:03}"} for n in range(123)])
        self.assertEqual(len(table().all()), 123)
        ids = [record["fields"]["Job ID"] for record in table().all(sort=["-Job ID"], page_size=50)]
        self.assertEqual((len(ids), ids[0], ids[-1]), (123, "JOB122", "JOB000"))
        self.assertEqual(len(table().all(max_records=7, page_size=3)), 7)
        only = table().first(fields=["Call SID"])
        self.assertEqual(only["fields"], {})

    def test_formulas_find_what_they_name_whatever_it_holds(self):
        odd = ["O'Neil", 'a "quoted" b', "back\\slash", "{Job ID}", "line\nbreak", "é ✓", "' OR 1=1 OR '"]
        made = table().batch_create([{"Job ID": text, "Call SID": "CA1"} for text in odd])
        for record, text in zip(made, odd):
            found = table().all(formula=match({"Job ID": text}))
            self.assertEqual([one["id"] for one in found], [record["id"]], text)
        two = OR(Field("Job ID").eq("O'Neil"), RECORD_ID().eq(made[2]["id"]))
        self.assertEqual(len(table().all(formula=AND(two, match({"Call SID": "CA1"})))), 2)
        long = OR(*[Field("Job ID").eq(f"{n:0100}") for n in range(200)], Field("Job ID").eq("O'Neil"))
        self.assertEqual(len(table().all(formula=long)), 1, "beyond the length of a URL, by POST")

    def test_batches_and_upserts(self):
        made = table().batch_create([{"Job ID": str(n)} for n in range(12)])
        updates = [{"id": record["id"], "fields": {"job_history": "x"}} for record in made]
        self.assertEqual(len(table().batch_update(updates)), 12)
        self.assertEqual({record["fields"]["job_history"] for record in table().all()}, {"x"})
        rows = [{"fields": {"Job ID": str(n), "job_history": "y"}} for n in range(10, 14)]
        result = table().batch_upsert(rows, key_fields=["Job ID"])
        self.assertEqual((len(result["createdRecords"]), len(result["updatedRecords"])), (2, 2))
        self.assertEqual(len(table().all()), 14)

    def test_refusals_have_the_real_form(self):
        with self.assertRaises(requests.HTTPError) as refused:
            table("patWrong").all()
        self.assertEqual(refused.exception.response.status_code, 401)
        self.assertEqual(len(sandbox.unexpected_requests()), 1)
        made = table().create({"Job ID": "1"})
        for cells, kind in (({"Nothing": "x"}, "UNKNOWN_FIELD_NAME"), ({"Job ID": "x" * 100_001}, "INVALID_VALUE_FOR_COLUMN")):
            with self.assertRaises(requests.HTTPError) as refused:
                table().update(made["id"], cells)
            self.assertEqual(refused.exception.response.status_code, 422)
            self.assertEqual(refused.exception.response.json()["error"]["type"], kind)
