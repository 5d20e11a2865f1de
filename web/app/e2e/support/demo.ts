// People who might be: for pictures of the page.

import type { Backstage, Person } from "./api";

const first = "Amara Bilal Chen Daria Emre Fatima Goran Hana Idris Jonas Keiko Lena Mateo Nadia Oskar Priya Quentin Rosa Samuel Tala Uma Viktor Wanjiru Ximena Yusuf Zoe".split(" ");
const last = "abbott berg castillo dubois eriksen farouk garcia haddad ivanova jensen kaplan lindqvist moreau nakamura okafor petrov quispe rossi schmidt tanaka".split(" ");
const devices = ["Firefox on Linux", "Chrome on Windows", "Safari on iPhone", "Chrome on Android", "Safari on Mac"];

const pick = <T>(list: readonly T[], at: number) => list[at % list.length] as T;

export async function seed(backstage: Backstage, count: number): Promise<Person[]> {
  const people: Person[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = `${pick(first, index).toLowerCase()}.${pick(last, index * 7 + Math.floor(index / 26))}`;
    people.push(await backstage.create(name, { role: index % 23 === 4 ? "admin" : "user", status: index % 29 === 11 ? "pending" : "active" }));
  }
  for (const [index, person] of people.entries()) {
    if (index % 29 === 11 || index % 3 === 2) continue;
    const token = await backstage.logIn(person, pick(devices, index));
    if (index % 5 === 1) await backstage.logIn(person, pick(devices, index + 2));
    if (index % 4 === 3) await backstage.logOut(token);
    if (index % 31 === 7) await backstage.act("suspend", person.id, "Asked other people for their passwords");
    if (index % 37 === 9) await backstage.act("ban", person.id, "Spam in three groups after a warning");
    if (index % 41 === 10) await backstage.act("deactivate", person.id, "Left the company");
  }
  return people;
}
