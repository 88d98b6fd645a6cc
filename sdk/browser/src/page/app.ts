// nothing yet
export {};
