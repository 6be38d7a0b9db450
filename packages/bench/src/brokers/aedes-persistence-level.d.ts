/** The package has no types of its own. */
declare module "aedes-persistence-level" {
  const levelPersistence: (database: unknown) => unknown;
  // oxlint-disable-next-line import/no-default-export -- that is how it is exported
  export default levelPersistence;
}
