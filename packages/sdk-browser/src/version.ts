/** Name and version of this SDK as the server sees them; a test holds it equal to package.json. */
export const SDK = "browser/0.1.0";
