import Foundation

/// A page in a browser that a test drives, whichever browser it is.
protocol DrivenPage: Sendable {
    /// Opens a page and waits until it is loaded.
    func open(_ url: String) async throws
    func click(_ point: PagePoint, count: Int) async throws
    /// The value of an expression, awaited where it is a promise.
    func evaluate<Value: Decodable>(_ expression: String, as type: Value.Type) async throws -> Value
    /// The page as it looks, as PNG.
    func screenshot() async throws -> Data
    var isRunning: Bool { get }
    /// What is known of its faults.
    var report: String { get }
}

struct PagePoint: Codable, Hashable, Sendable {
    var x: Double
    var y: Double
}

/// A script of the page failed.
struct PageException: Error, CustomStringConvertible {
    let text: String
    var description: String { text }
}

extension DrivenPage {
    func evaluate<Value: Decodable>(_ expression: String) async throws -> Value {
        try await evaluate(expression, as: Value.self)
    }

    /// Runs a script for what it does.
    func run(_ script: String) async throws {
        let _: Bool = try await evaluate("(async () => { \(script) })().then(() => true)")
    }

    /// Asks again and again until an expression holds.
    func wait(until expression: String, limit: Duration = .seconds(15)) async throws {
        let end = ContinuousClock.now + limit
        while true {
            // While a page is being left its scripts cannot be asked.
            if (try? await evaluate("Boolean(\(expression))")) == true { return }
            guard ContinuousClock.now < end, isRunning else {
                throw NeverHappened(what: "\(expression); \(report)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func click(_ selector: String, count: Int = 1) async throws {
        try await click(try await place(of: selector), count: count)
    }

    func click(_ point: PagePoint) async throws {
        try await click(point, count: 1)
    }

    /// The middle of an element, scrolled into view: once it is shown, at rest and not covered, as a user waits too.
    func place(of selector: String) async throws -> PagePoint {
        let name = String(decoding: try JSONEncoder().encode(selector), as: UTF8.self)
        return try await evaluate(
            """
            (async () => {
              const end = performance.now() + 5000;
              let why = '', before = '';
              while (performance.now() < end) {
                const element = document.querySelector(\(name));
                element?.scrollIntoView({ block: 'nearest', behavior: 'instant' });
                const box = element?.getBoundingClientRect();
                const at = box && { x: box.x + box.width / 2, y: box.y + box.height / 2 };
                const now = JSON.stringify(box ?? null), top = at && document.elementFromPoint(at.x, at.y);
                if (!element) why = 'there is no ';
                else if (!box.width || !box.height) why = 'not shown: ';
                else if (now !== before) why = 'it moves: ';
                else if (!top || !element.contains(top)) why = `covered by ${top?.outerHTML.slice(0, 80)}: `;
                else return at;
                before = now;
                // Frames do not come in a page that nothing happens on.
                await new Promise(done => setTimeout(done, 30));
              }
              throw new Error(why + \(name));
            })()
            """
        )
    }
}
