"""How often is each constraint satisfied, asked for and not?"""
