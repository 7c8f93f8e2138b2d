import { expect, test } from "vitest";
import { filterOf, formOf, meant, membersOf } from "../src/components/condition";

test("a value is a number where it can be one without losing a digit, and text otherwise", () => {
  expect(["50", "-1.5", "0042", "+4915112345678", "12345678901234567890", "true", "null", '"50"', "Maria"].map(meant)).toEqual([50, -1.5, "0042", "+4915112345678", "12345678901234567890", true, null, "50", "Maria"]);
});

test("what lines can say is read into lines and out of them unchanged", () => {
  for (const filter of [
    { all: [{ path: "price", op: "gt", value: 50 }, { path: "customer.name", op: "eq", value: "Petersen, Maria" }] },
    { any: [{ path: "id", op: "eq", value: "50" }, { path: "sku", op: "in", value: ["a,b", "c", 7, "7"] }, { path: "notes", op: "exists", value: false }, { path: "price", op: "exists", value: true }, { path: "x", op: "ne", value: null }] },
  ]) {
    const form = formOf(filter);
    expect(form.text).toBeNull();
    expect(filterOf(form)).toEqual(filter);
  }
});

test("one test alone is a line; conditions within conditions stay text", () => {
  expect(formOf({ path: "price", op: "lt", value: 9 }).lines).toEqual([{ path: "price", op: "lt", value: "9" }]);
  const nested = { all: [{ any: [{ path: "a", op: "eq", value: 1 }] }] };
  expect(filterOf(formOf(nested))).toEqual(nested);
  expect(filterOf({ match: "all", lines: [], text: " " })).toBeNull();
  expect(filterOf(formOf(null))).toBeNull();
  expect(() => filterOf({ match: "all", lines: [], text: "[" })).toThrow(SyntaxError);
});

test("what can be asked about is what the chosen events hold, by the names people know", () => {
  const type = (name: string, properties: object) => ({ type: name, label: name, description: "", example: {}, schema: { properties } });
  const types = [type("a.b", { price: { title: "Price" }, customer: { title: "Customer", properties: { email: { title: "Email" } } } }), type("c.d", { sku: {} })];
  expect(membersOf(types, ["a.b"])).toEqual([{ path: "price", title: "Price" }, { path: "customer.email", title: "Customer, Email" }]);
  expect(membersOf(types, ["*"]).map((one) => one.path)).toEqual(["price", "customer.email", "sku"]);
});
