"""What the evaluation needs and no LMS has: plan, budget, ratings, results, surveys and competencies, from spreadsheets."""
