/** Makes garbage; with the argument "leak" it keeps a part of it. Collects when told to on stdin. */
public class Churn {
  static final java.util.List<byte[]> KEPT = new java.util.ArrayList<>();
  static volatile Object sink;

  public static void main(String[] arguments) throws Exception {
    boolean leaks = arguments.length > 0 && arguments[0].equals("leak");
    System.out.println("ready");
    while (System.in.read() >= 0) {
      for (int at = 0; at < 4000; at++) {
        byte[] made = new byte[10240];
        sink = made;
        if (leaks && at % 10 == 0) KEPT.add(made);
      }
      sink = null;
      System.gc();
      System.out.println("done");
    }
  }
}
