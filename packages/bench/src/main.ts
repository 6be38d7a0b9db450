/** The benchmark's command line. */
process.stdout.write("canopy bench\n");
