/** The Java clients against one broker: `Main BOOTSTRAP`, or `Main BOOTSTRAP --member GROUP TOPIC ASSIGNOR` for a member to be killed. */
public final class Main {
    public static void main(String[] args) throws Exception {
        Kit kit = new Kit(args[0]);
        if (args.length > 2 && args[1].equals("--member")) {
            GroupChecks.member(kit, args[2], args[3], args[4]);
            return;
        }
        Suite suite = new Suite("java", System.out);
        new DataChecks(kit).add(suite);
        new GroupChecks(kit).add(suite);
        new AdminChecks(kit).add(suite);
        suite.run();
        System.exit(0);
    }
}
