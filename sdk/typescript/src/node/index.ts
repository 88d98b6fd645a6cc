// What Node programs have beside the package's main entry: a session in a file.

export { type FileStoreOptions, fileStore, type Step } from "./file.js";
