/* A process of its own: copies the database file of its first argument, as of one moment, into that of the second. */
import { openDriver } from "../store/sqlite/driver.ts";

const [from = "", to = ""] = process.argv.slice(2);
const driver = await openDriver(from);
driver.exec("pragma busy_timeout = 5000");
driver.run("vacuum into ?", [to]);
driver.close();
